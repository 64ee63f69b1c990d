"""Connections: sign-in with others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from server.common.roles import Role
from server.feature import Feature, Job, Served, Tables
from server.features.connections.mails import MAILS
from server.features.connections.names import REGISTRATIONS_TASK

if TYPE_CHECKING:
    from server.parts import CoreParts, WorkerParts

EVENTS = {
    "connection.created": "A connection to a sign-in provider was created.",
    "connection.deleted": "A connection to a sign-in provider was deleted.",
    "connection.updated": "A connection to a sign-in provider was changed.",
    "platform.connection_created": "A connection of the platform was created.",
    "platform.connection_deleted": "A connection of the platform was deleted.",
    "platform.connection_updated": "A connection of the platform was changed.",
    "user.identity_linked": "An account at a provider was linked to a person's account.",
    "user.identity_unlinked": "An account at a provider is no longer linked.",
}


def _tables() -> Tables:
    from server.features.connections import models, repository

    return Tables(
        models=(
            models.Connection,
            models.UnusedRegistration,
            models.Identity,
            models.FederatedSession,
            models.UsedOnce,
        ),
        constraint_errors=models.CONSTRAINT_ERRORS,
        cleanup={
            "federated_used": repository.delete_used,
            "federated_sessions": repository.delete_sessions,
        },
    )


def _provide(parts: CoreParts) -> None:
    from server.features.auth import ports
    from server.features.connections.facade import Connections, LinkedIdentities

    parts.provide(Connections, lambda: Connections(parts.reads))
    parts.provide(ports.LinkedIdentities, lambda: LinkedIdentities(parts.reads))


def _serve(parts: CoreParts) -> Served:
    from portico.connections.v1.connection_service_pb2 import DESCRIPTOR
    from portico.connections.v1.federated_sign_in_service_pb2 import DESCRIPTOR as SIGN_IN
    from portico.connections.v1.identity_service_pb2 import DESCRIPTOR as IDENTITIES
    from portico.connections.v1.platform_connection_service_pb2 import DESCRIPTOR as PLATFORM

    from portico_kit.service import Service
    from server.common.outbound_addresses import AddressPolicy
    from server.features.auth.devices import Devices
    from server.features.auth.facade import Sessions
    from server.features.auth.one_time_tokens import OneTimeTokens
    from server.features.auth.session_step_up import SessionStepUp
    from server.features.auth.sign_in_completion import SignInCompletion
    from server.features.auth.standings import SessionStandings
    from server.features.connections.attempts import Attempts
    from server.features.connections.facade import Connections
    from server.features.connections.federated_sign_in import FederatedSignInService
    from server.features.connections.flows import Flows
    from server.features.connections.identities import IdentityService
    from server.features.connections.linking import Linking
    from server.features.connections.oidc.discovery import Providers
    from server.features.connections.oidc.github import GitHubFlow
    from server.features.connections.oidc.http import ProviderClient
    from server.features.connections.oidc.openid import OpenIdFlow
    from server.features.connections.oidc.registration import Registrar
    from server.features.connections.oidc.webfinger import WebFinger
    from server.features.connections.preview import Preview
    from server.features.connections.registrations import Registrations
    from server.features.connections.request_objects import RequestObjects
    from server.features.connections.service import (
        ConnectionEditor,
        ConnectionService,
        PlatformConnectionService,
    )
    from server.features.domains.facade import Domains
    from server.features.emails.facade import Mailer
    from server.features.factors.facade import Factors
    from server.features.organizations.facade import Tenants
    from server.features.organizations.provisioning import Provisioning
    from server.features.users.facade import Accounts

    settings, accounts, mailer = parts.settings, parts.get(Accounts), parts.get(Mailer)
    connections, domains = parts.get(Connections), parts.get(Domains)
    policy = AddressPolicy(allow_loopback=settings.webhook_allow_loopback)
    client = ProviderClient(policy)
    public_url = settings.public_url.rstrip("/")
    request_objects = RequestObjects(parts.redis, parts.secrets, public_url)
    openid = OpenIdFlow(client, Providers(client, parts.clock), request_objects, parts.clock)
    flows = Flows(openid, GitHubFlow(client), parts.secrets, public_url)
    sign_in = FederatedSignInService(
        connections=connections,
        domains=domains,
        attempts=Attempts(parts.secrets, parts.statements),
        flows=flows,
        linking=Linking(
            accounts=accounts,
            domains=domains,
            sessions=parts.get(Sessions),
            tokens=parts.get(OneTimeTokens),
            provisioning=Provisioning(),
            mailer=mailer,
        ),
        preview=Preview(domains),
        completion=parts.get(SignInCompletion),
        sessions=parts.get(Sessions),
        step_ups=parts.get(SessionStepUp),
        devices=Devices(parts.secrets),
        request_objects=request_objects,
    )
    registrations = Registrations(
        Registrar(client), parts.statements, parts.secrets, public_url, settings.product_name
    )
    editor = ConnectionEditor(
        flows, policy, parts.get(Tenants), WebFinger(client, policy), registrations
    )
    identities = IdentityService(
        accounts=accounts,
        connections=connections,
        sign_in=sign_in,
        factors=parts.get(Factors),
        standings=parts.get(SessionStandings),
        flows=flows,
        mailer=mailer,
    )
    of_organizations = ConnectionService(editor, connections, sign_in, parts.roles, public_url)
    of_platform = PlatformConnectionService(editor, connections, sign_in, public_url)
    return Served(
        services=(
            Service(DESCRIPTOR.services_by_name["ConnectionService"], of_organizations),
            Service(PLATFORM.services_by_name["PlatformConnectionService"], of_platform),
            Service(SIGN_IN.services_by_name["FederatedSignInService"], sign_in),
            Service(IDENTITIES.services_by_name["IdentityService"], identities),
        ),
        on_close=(client.close,),
    )


def _tasks(parts: WorkerParts) -> Mapping[str, Job]:
    from server.features.connections.tasks import tasks

    return tasks(parts)


FEATURE = Feature(
    name="connections",
    permissions={"connections:read": Role.VIEWER, "connections:write": Role.OWNER},
    events=EVENTS,
    mails=MAILS,
    schedule={REGISTRATIONS_TASK: timedelta(minutes=10)},
    tables=_tables,
    provide=_provide,
    serve=_serve,
    tasks=_tasks,
)
