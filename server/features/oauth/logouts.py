"""Logout requests of applications (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import jwt
from portico.oauth.v1 import logout_service_pb2 as pb

from server.features.applications.facade import Applications, Client
from server.features.auth.signing_keys import RINGS, SigningKeys
from server.features.oauth.subjects import Subjects

INVALID = "invalid_request"
# Of ID tokens alone: access tokens have another, and logout tokens.
ID_TOKEN_TYPE = "JWT"  # noqa: S105 - the name of a type


class RefusedLogoutError(Exception):
    """A request of which nothing can be trusted; says why, for the developer."""


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """A request that is right.

    Attributes:
        client: the application; None if it has not named itself.
        session: what the application calls the session, by its hint; "" without a hint.
        redirect_uri: where the person goes afterwards; "" for nowhere.
    """

    client: Client | None
    session: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class LogoutRequests:
    """Checks them.

    Attributes:
        issuer: that of the ID tokens.
    """

    issuer: str
    applications: Applications
    signing_keys: SigningKeys
    subjects: Subjects

    async def check(self, given: pb.LogoutParameters) -> LogoutRequest:
        """The request that parameters make.

        Raises:
            RefusedLogoutError: if the hint is no ID token of ours for the application, the
                application is unknown, or the redirect URI is not one of its own.
        """
        hint = await self._hint(given.id_token_hint) if given.id_token_hint else {}
        audience = str(hint.get("aud", ""))
        if audience and given.client_id and audience != given.client_id:
            raise RefusedLogoutError("the id_token_hint was issued to another client")
        client_id = audience or given.client_id
        client = await self.applications.find(client_id) if client_id else None
        if client_id and client is None:
            raise RefusedLogoutError("the client is unknown")
        redirect_uri = self._redirect_uri(client, given)
        return LogoutRequest(client, str(hint.get("sid", "")), redirect_uri)

    def is_about(self, request: LogoutRequest, session_id: UUID | None) -> bool:
        """Whether the hint of a request was issued in a session."""
        if request.client is None or session_id is None or not request.session:
            return False
        named = str(self.subjects.session(request.client, session_id))
        return hmac.compare_digest(named, request.session)

    async def _hint(self, token: str) -> dict[str, Any]:
        """The claims of an ID token of ours, whether its time is over or not."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self.signing_keys.any_key(str(header.get("kid", "")))
            if key is None or str(header.get("typ", "")) != ID_TOKEN_TYPE:
                raise RefusedLogoutError("the id_token_hint is not valid")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(RINGS),
                issuer=self.issuer,
                # It shows what was; times do not matter. Whose it is, is looked at behind.
                options={
                    "require": ["iss", "aud", "sub", "sid"],
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise RefusedLogoutError("the id_token_hint is not valid") from None
        if not isinstance(claims["aud"], str) or "kind" in claims:
            raise RefusedLogoutError("the id_token_hint is not valid")
        return claims

    def _redirect_uri(self, client: Client | None, given: pb.LogoutParameters) -> str:
        uri = given.post_logout_redirect_uri
        if not uri:
            return ""
        if client is None:
            raise RefusedLogoutError(
                "post_logout_redirect_uri needs an id_token_hint or a client_id"
            )
        if not client.allows_post_logout_redirect_uri(uri):
            raise RefusedLogoutError("the post_logout_redirect_uri is not registered")
        if not given.state:
            return uri
        return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'state': given.state})}"
