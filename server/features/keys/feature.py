"""API keys: the credentials of programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.common.roles import Role
from server.feature import Feature, Served, Tables
from server.features.keys.mails import MAILS

if TYPE_CHECKING:
    from server.parts import CoreParts

EVENTS = {
    "key.created": "An API key was created.",
    "key.imported": "An API key that another system issued was imported.",
    "key.revoked": "An API key was revoked and is no longer accepted.",
    "key.rotated": "The secret of an API key was rotated.",
    "key.updated": "The name, scopes, projects, networks, limits or expiry of an API key changed.",
}


def _tables() -> Tables:
    from server.features.keys.models import ApiKey, ImportedSecret

    return Tables(models=(ApiKey, ImportedSecret))


def _provide(parts: CoreParts) -> None:
    from server.features.keys.facade import ApiKeys
    from server.features.organizations import ports

    parts.provide(ports.ApiKeys, ApiKeys)


def _serve(parts: CoreParts) -> Served:
    from portico.keys.v1.api_key_service_pb2 import DESCRIPTOR

    from portico_kit.jwt import TokenIssuer
    from portico_kit.service import Service
    from server.features.emails.facade import Mailer
    from server.features.keys.authenticator import KeyAuthenticator
    from server.features.keys.binding import Bindings
    from server.features.keys.imported.adoption import FirstUses
    from server.features.keys.imported.importer import Imports
    from server.features.keys.imported.prefixes import ImportedPrefixesProjection
    from server.features.keys.key_verifier import KeyVerifier
    from server.features.keys.ports import Projects
    from server.features.keys.service import ApiKeyService
    from server.features.organizations.facade import Tenants
    from server.features.organizations.pending_invitations import PendingInvitations

    tenants, secrets = parts.get(Tenants), parts.secrets
    prefixes = ImportedPrefixesProjection(parts.engine, parts.redis)
    first_uses = FirstUses(secrets, parts.reads, parts.engine)
    service = ApiKeyService(
        verification=KeyVerifier(secrets, parts.get(TokenIssuer), parts.reads, tenants, first_uses),
        imports=Imports(secrets, tenants, prefixes, parts.get(Mailer)),
        cursors=parts.cursors,
        invalidator=parts.invalidator,
        pending_invitations=parts.get(PendingInvitations),
        bindings=Bindings(parts.get(Projects), parts.project_permissions),
        environment=parts.settings.key_environment,
    )
    return Served(
        services=(Service(DESCRIPTOR.services_by_name["ApiKeyService"], service),),
        projections=(prefixes,),
        authenticators=(KeyAuthenticator(parts.reads, parts.clock, parts.project_permissions),),
    )


FEATURE = Feature(
    name="keys",
    permissions={"keys:read": Role.VIEWER, "keys:write": Role.MEMBER},
    events=EVENTS,
    mails=MAILS,
    tables=_tables,
    provide=_provide,
    serve=_serve,
)
