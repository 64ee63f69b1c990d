"""Applications: the OAuth 2.1 clients of organizations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from server.common.roles import Role
from server.common.times import SWEEP
from server.feature import Feature, Job, Served, Tables
from server.features.applications.names import LOGOS_TASK

if TYPE_CHECKING:
    from server.parts import CoreParts, WorkerParts

EVENTS = {
    "application.created": "An application was created.",
    "application.deleted": "An application was deleted and is no longer accepted.",
    "application.registration_policy_updated": "What may register itself was changed.",
    "application.secret_rotated": "The secret of an application was replaced.",
    "application.updated": "An application was changed, or one of its secrets was revoked.",
}


def _tables() -> Tables:
    from server.features.applications.logos import delete_logos
    from server.features.applications.models import (
        Application,
        ApplicationLogo,
        RegistrationPolicy,
    )

    return Tables(
        models=(Application, ApplicationLogo, RegistrationPolicy),
        cleanup={"application_logos": delete_logos},
    )


def _provide(parts: CoreParts) -> None:
    from server.common.outbound_addresses import AddressPolicy
    from server.common.outbound_json import JsonClient
    from server.features.applications.assertions import ClientAssertions, UsedAssertions
    from server.features.applications.authentication import ClientSecrets
    from server.features.applications.certificates import ClientCertificateKeys
    from server.features.applications.client_cache import ClientCache
    from server.features.applications.client_jwts import ClientJwts
    from server.features.applications.client_keys import ClientKeys
    from server.features.applications.documents import ClientDocuments
    from server.features.applications.editing import ApplicationEditor
    from server.features.applications.facade import Applications, CreatedApplications
    from server.features.applications.failures import ClientFailures
    from server.features.applications.request_objects import RequestObjects
    from server.features.organizations import ports
    from server.features.organizations.facade import Tenants

    def applications() -> Applications:
        used = UsedAssertions(parts.redis, parts.secrets)
        keys = ClientKeys(parts.get(JsonClient), parts.clock)
        jwts = ClientJwts(keys)
        return Applications(
            parts.reads,
            parts.get(Tenants),
            parts.get(ClientCache),
            parts.get(ClientSecrets),
            ClientAssertions(jwts, used, parts.clock),
            RequestObjects(jwts, used, parts.clock),
            ClientCertificateKeys(keys),
            ClientFailures(parts.redis, parts.secrets),
            ClientDocuments(
                parts.settings.registration_organization,
                parts.get(JsonClient),
                ApplicationEditor(policy),
                parts.reads,
                parts.get(Tenants),
                parts.clock,
                parts.invalidator,
                parts.limiter,
            ),
        )

    policy = AddressPolicy(parts.settings.webhook_allow_loopback)
    parts.provide(JsonClient, lambda: JsonClient(policy))
    parts.provide(ClientCache, lambda: ClientCache(parts.clock))
    parts.provide(ClientSecrets, lambda: ClientSecrets(parts.secrets, parts.clock))
    parts.provide(Applications, applications)
    parts.provide(ports.Applications, CreatedApplications)


def _serve(parts: CoreParts) -> Served:
    from portico.applications.v1.application_service_pb2 import DESCRIPTOR
    from portico.applications.v1.logo_service_pb2 import DESCRIPTOR as LOGOS
    from portico.applications.v1.registration_service_pb2 import DESCRIPTOR as REGISTRATIONS

    from portico_kit.service import Service
    from server.common.outbound_addresses import AddressPolicy
    from server.common.outbound_json import JsonClient
    from server.features.applications.authentication import ClientSecrets
    from server.features.applications.client_cache import ClientCache, ClientInvalidations
    from server.features.applications.editing import ApplicationEditor
    from server.features.applications.logo_service import LogoService
    from server.features.applications.ports import Grants
    from server.features.applications.registration_policy_service import RegistrationPolicyService
    from server.features.applications.registration_service import RegistrationService
    from server.features.applications.sectors import SectorDocuments
    from server.features.applications.service import ApplicationService
    from server.features.organizations.facade import Tenants

    editor = ApplicationEditor(AddressPolicy(parts.settings.webhook_allow_loopback))
    service = ApplicationService(
        editor=editor,
        secrets=parts.get(ClientSecrets),
        sectors=SectorDocuments(parts.get(JsonClient)),
        cursors=parts.cursors,
        invalidator=parts.invalidator,
        tenants=parts.get(Tenants),
        grants=parts.get(Grants),
        environment=parts.settings.key_environment,
    )
    registrations = RegistrationService(
        open_organization=parts.settings.registration_organization,
        editor=editor,
        client_secrets=parts.get(ClientSecrets),
        secrets=parts.secrets,
        invalidator=parts.invalidator,
        tenants=parts.get(Tenants),
        grants=parts.get(Grants),
        environment=parts.settings.key_environment,
    )
    policies = RegistrationPolicyService(parts.secrets, parts.get(Tenants), parts.invalidator)
    invalidations = ClientInvalidations(parts.redis, parts.get(ClientCache))
    return Served(
        services=(
            Service(DESCRIPTOR.services_by_name["ApplicationService"], service),
            Service(REGISTRATIONS.services_by_name["RegistrationPolicyService"], policies),
            Service(REGISTRATIONS.services_by_name["RegistrationService"], registrations),
            Service(LOGOS.services_by_name["LogoService"], LogoService()),
        ),
        background=(invalidations.listen_forever,),
        on_close=(parts.get(JsonClient).close,),
    )


def _tasks(parts: WorkerParts) -> Mapping[str, Job]:
    from server.features.applications.tasks import tasks

    return tasks(parts)


FEATURE = Feature(
    name="applications",
    permissions={"applications:read": Role.VIEWER, "applications:write": Role.ADMIN},
    events=EVENTS,
    tables=_tables,
    provide=_provide,
    serve=_serve,
    schedule={LOGOS_TASK: SWEEP},
    tasks=_tasks,
)
