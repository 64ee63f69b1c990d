"""Connections, identities and checks as the contract shows them."""

from __future__ import annotations

from portico.connections.v1 import connection_pb2 as pb
from portico.connections.v1 import federated_sign_in_service_pb2 as sign_in_pb
from portico.connections.v1 import identity_service_pb2 as identity_pb

from portico_kit.clock import timestamp
from server.features.connections.flows import CALLBACK_PATH, KEYS_PATH, LOGOUT_PATH
from server.features.connections.models import Connection, Identity
from server.features.connections.oidc.checks import Check
from server.features.connections.oidc.registration import KEY_JWT
from server.features.connections.read_models import ConnectionView


def connection(row: Connection, public_url: str) -> pb.Connection:
    """The message for a row; the client secret is not in it."""
    return pb.Connection(
        id=str(row.id),
        organization_id=str(row.organization_id or ""),
        name=row.name,
        preset=row.preset,
        issuer=row.issuer,
        client_id=row.client_id,
        has_client_secret=row.sealed_client_secret is not None,
        client_authentication=row.client_authentication,
        extra_scopes=row.scopes,
        allowed_tenants=row.allowed_tenants,
        trusts_second_factor=row.trusts_second_factor,
        second_factor_acrs=row.second_factor_acrs,
        member_role=row.member_role or "",
        trusted_domains=row.trusted_domains,
        enabled=row.enabled,
        redirect_uri=public_url + CALLBACK_PATH,
        backchannel_logout_uri=f"{public_url}{LOGOUT_PATH}/{row.id}",
        created_at=timestamp(row.created_at),
        updated_at=timestamp(row.updated_at),
        registered=row.registered,
        client_secret_expires_at=timestamp(row.client_secret_expires_at),
        authorization_request=row.authorization_request,
        userinfo_signed_response_alg=row.userinfo_signed_response_alg,
        jwks_uri=public_url + KEYS_PATH.format(connection_id=row.id) if _signs(row) else "",
    )


def _signs(row: Connection) -> bool:
    return row.sealed_client_key is not None or row.client_authentication == KEY_JWT


def identity(row: Identity, connection_name: str) -> identity_pb.Identity:
    """The message for a row."""
    return identity_pb.Identity(
        id=str(row.id),
        user_id=str(row.user_id),
        connection_id=str(row.connection_id or ""),
        connection_name=connection_name,
        issuer=row.issuer,
        email=row.email,
        created_at=timestamp(row.created_at),
        last_used_at=timestamp(row.last_used_at),
    )


def option(view: ConnectionView) -> sign_in_pb.SignInOption:
    """What anybody may know of a connection."""
    return sign_in_pb.SignInOption(
        connection_id=str(view.id),
        name=view.name,
        preset=view.preset,
        organization=view.organization_id is not None,
    )


def check(done: Check) -> sign_in_pb.ProviderCheck:
    """What came of a check."""
    return sign_in_pb.ProviderCheck(name=done.name, passed=done.passed, detail=done.detail)
