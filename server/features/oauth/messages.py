"""Authorizations and grants as the contract shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from portico.oauth.v1 import authorization_service_pb2 as authorizations
from portico.oauth.v1 import device_service_pb2 as devices
from portico.oauth.v1 import grant_service_pb2 as grants
from portico.oauth.v1 import token_service_pb2 as tokens

from portico_kit.client_certificates import BOUND_TO_CERTIFICATE
from portico_kit.clock import timestamp
from portico_kit.dpop import AUTHENTICATION_SCHEME
from portico_kit.oauth_scopes import described
from server.features.applications.facade import DOCUMENT, Client
from server.features.oauth.models import StoredDeviceCode, StoredGrant
from server.features.oauth.requests import AuthorizationRequest, Response
from server.features.oauth.tokens import Issued, of_organizations

BEARER = "Bearer"


def response(given: Response) -> authorizations.AuthorizationResponse:
    """What goes back to the application."""
    return authorizations.AuthorizationResponse(
        redirect_uri=given.redirect_uri,
        response_mode=given.response_mode,
        parameters=[
            authorizations.Parameter(name=name, value=value) for name, value in given.parameters
        ],
    )


def authorization(
    request: AuthorizationRequest, client: Client, request_id: str
) -> authorizations.Authorization:
    """A request as it is put before a person."""
    return authorizations.Authorization(
        request_id=request_id,
        client=_client(request, client),
        scopes=_scopes(request),
        prompt=request.prompt,
        max_age=request.max_age,
        acr_values=request.acr_values,
        login_hint=request.login_hint,
        ui_locales=request.ui_locales,
        resource=request.resources,
        needs_organization=bool(of_organizations(request.scopes)),
    )


def device_authorization(
    stored: StoredDeviceCode, request: AuthorizationRequest, client: Client, user_code: str
) -> devices.DeviceAuthorization:
    """What a device asks for, as it is put before a person.

    Args:
        user_code: as the device shows it.
    """
    return devices.DeviceAuthorization(
        user_code=user_code,
        client=_client(request, client),
        scopes=_scopes(request),
        needs_organization=bool(of_organizations(request.scopes)),
        requested_at=timestamp(stored.created_at),
        requested_from=stored.client_address,
        expires_at=timestamp(stored.expires_at),
    )


def _scopes(request: AuthorizationRequest) -> list[authorizations.Scope]:
    return [authorizations.Scope(name=name, description=described(name)) for name in request.scopes]


def _client(request: AuthorizationRequest, client: Client) -> authorizations.AuthorizationClient:
    where = urlsplit(request.redirect_uri)
    return authorizations.AuthorizationClient(
        client_id=client.client_id,
        name=client.name,
        logo_uri=client.logo_uri,
        client_uri=client.client_uri,
        policy_uri=client.policy_uri,
        tos_uri=client.tos_uri,
        organization_name=client.organization_name,
        redirect_host=where.netloc if where.scheme in ("http", "https") else where.scheme,
        first_party=client.first_party,
        origin=client.origin,
        document_host=urlsplit(client.client_id).netloc if client.origin == DOCUMENT else "",
        logo_path=client.logo_path,
    )


def grant(row: StoredGrant, client: Client | None, organization_name: str) -> grants.Grant:
    """The message for a row; without the client if it may not be used now."""
    return grants.Grant(
        id=str(row.id),
        client_id=client.client_id if client else str(row.application_id),
        application_name=client.name if client else "",
        logo_uri=client.logo_uri if client else "",
        client_uri=client.client_uri if client else "",
        organization_id=str(row.organization_id or ""),
        organization_name=organization_name,
        scopes=row.scopes,
        created_at=timestamp(row.created_at),
        last_used_at=timestamp(row.last_used_at),
        user_id=str(row.user_id),
    )


def issued(given: Issued) -> tokens.IssueTokenResponse:
    """The tokens that an application gets."""
    return tokens.IssueTokenResponse(
        access_token=given.access_token,
        token_type=token_type(given.jkt),
        expires_in=int(given.lifetime.total_seconds()),
        refresh_token=given.refresh_token,
        id_token=given.id_token,
        scope=" ".join(given.scopes),
        issued_token_type=given.issued_token_type,
    )


def actor(claim: Mapping[str, Any]) -> tokens.Actor:
    """Who acts with a token, by its claim `act`."""
    before = claim.get("act")
    return tokens.Actor(sub=str(claim["sub"]), act=actor(before) if before else None)


def token_type(jkt: str) -> str:
    """How an access token is presented.

    Args:
        jkt: the thumbprint of the key that it is bound to; "" for none. One that is bound to a
            certificate is a bearer token (RFC 8705, section 3).
    """
    is_proved = bool(jkt) and not jkt.startswith(BOUND_TO_CERTIFICATE)
    return AUTHENTICATION_SCHEME if is_proved else BEARER
