"""Authorizations and grants as the contract shows them."""

from __future__ import annotations

from urllib.parse import urlsplit

from portico.oauth.v1 import authorization_service_pb2 as authorizations
from portico.oauth.v1 import grant_service_pb2 as grants
from portico.oauth.v1 import token_service_pb2 as tokens

from portico_kit.client_certificates import BOUND_TO_CERTIFICATE
from portico_kit.clock import timestamp
from portico_kit.dpop import AUTHENTICATION_SCHEME
from portico_kit.oauth_scopes import described
from server.features.applications.facade import Client
from server.features.oauth.models import StoredGrant
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
        scopes=[
            authorizations.Scope(name=name, description=described(name)) for name in request.scopes
        ],
        prompt=request.prompt,
        max_age=request.max_age,
        acr_values=request.acr_values,
        login_hint=request.login_hint,
        ui_locales=request.ui_locales,
        resource=request.resources,
        needs_organization=bool(of_organizations(request.scopes)),
    )


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
    )


def token_type(jkt: str) -> str:
    """How an access token is presented.

    Args:
        jkt: the thumbprint of the key that it is bound to; "" for none. One that is bound to a
            certificate is a bearer token (RFC 8705, section 3).
    """
    is_proved = bool(jkt) and not jkt.startswith(BOUND_TO_CERTIFICATE)
    return AUTHENTICATION_SCHEME if is_proved else BEARER
