"""Registering ourselves with a provider (RFC 7591, RFC 7592, OpenID Connect Registration 1.0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from server.features.connections.oidc.checks import ProviderFailedError
from server.features.connections.oidc.client import PARAMETERS
from server.features.connections.oidc.client_keys import ClientKey
from server.features.connections.oidc.discovery import ProviderMetadata
from server.features.connections.oidc.http import ProviderAnswer, ProviderClient
from server.features.connections.oidc.request_objects import UNSIGNED, is_unsigned

NONE = "none"
KEY_JWT = "private_key_jwt"
# In the order in which they are chosen.
AUTHENTICATIONS = ("client_secret_basic", "client_secret_post", KEY_JWT, NONE)
LONGEST_ID = 300
LONGEST_SECRET = 8000
LONGEST_URI = 2000
LONGEST_TOKEN = 8000
# Further away than any clock can say.
LATEST = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Registrant:
    """What we say of ourselves.

    Attributes:
        authentication: how the client shows who it is.
        key: with which it signs, if it signs anything.
        userinfo_algorithm: with which user info is signed; "" for not.
    """

    name: str
    redirect_uri: str
    logout_uri: str
    authentication: str
    scopes: Sequence[str]
    request_mode: str
    userinfo_algorithm: str
    key: ClientKey | None = None

    def document(self, metadata: ProviderMetadata) -> dict[str, Any]:
        """The client metadata (RFC 7591, section 2)."""
        document: dict[str, Any] = {
            "client_name": self.name,
            "application_type": "web",
            "redirect_uris": [self.redirect_uri],
            "response_types": ["code"],
            "grant_types": ["authorization_code"],
            "scope": " ".join(self.scopes),
            "token_endpoint_auth_method": self.authentication,
            "id_token_signed_response_alg": _chosen(metadata.algorithms),
        }
        if metadata.takes_logout_tokens:
            document["backchannel_logout_uri"] = self.logout_uri
            if metadata.logs_out_sessions:
                document["backchannel_logout_session_required"] = True
        if self.userinfo_algorithm:
            document["userinfo_signed_response_alg"] = self.userinfo_algorithm
        if self.key is not None:
            document |= self._signatures(self.key, metadata)
        return document

    def _signatures(self, key: ClientKey, metadata: ProviderMetadata) -> dict[str, Any]:
        # The key itself: a provider that cannot reach us can register us all the same.
        found: dict[str, Any] = {"jwks": {"keys": [key.public]}}
        if self.authentication == KEY_JWT:
            found["token_endpoint_auth_signing_alg"] = key.algorithm()
        if self.request_mode != PARAMETERS:
            unsigned = is_unsigned(metadata)
            algorithm = UNSIGNED if unsigned else key.algorithm(metadata.request_algorithms)
            found["request_object_signing_alg"] = algorithm
        return found


@dataclass(frozen=True, slots=True)
class Registered:
    """What the provider made of it.

    Attributes:
        expires_at: when the secret does; None for never.
        uri: where the registration is managed, and
        token: with what; both are "" if it cannot be.
    """

    client_id: str
    secret: str = field(repr=False)
    authentication: str
    expires_at: datetime | None
    uri: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registrar:
    """Registers us, changes that, and takes it back."""

    http: ProviderClient

    async def register(
        self, registrant: Registrant, metadata: ProviderMetadata, initial_token: str
    ) -> Registered:
        """Registers us.

        Args:
            initial_token: without which the provider may register nobody; "" for none.

        Raises:
            ProviderFailedError: if the provider does not, or not as we need it.
        """
        document = registrant.document(metadata)
        endpoint = metadata.registration_endpoint
        answer = await self.http.send("POST", endpoint, document, initial_token)
        found = _registered(answer, registrant, ("", ""))
        try:
            _require_usable(found, answer.members, registrant)
        except ProviderFailedError:
            await self._end_quietly(found)
            raise
        return found

    async def renew(
        self, registrant: Registrant, metadata: ProviderMetadata, before: Registered
    ) -> Registered:
        """Sends what we say of ourselves once more, for which a provider may give a new secret.

        Raises:
            ProviderFailedError: if it does not, or not as we need it.
        """
        document = {**registrant.document(metadata), "client_id": before.client_id}
        if before.secret:
            document["client_secret"] = before.secret
        answer = await self.http.send("PUT", before.uri, document, before.token)
        found = _registered(answer, registrant, (before.uri, before.token))
        _require_usable(found, answer.members, registrant)
        return found

    async def end(self, uri: str, token: str) -> bool:
        """Takes a registration back. Whether it is gone, or nothing can be done about it.

        Raises:
            ProviderFailedError: if the provider does not answer.
        """
        answer = await self.http.send("DELETE", uri, None, token)
        # What is refused now is refused later (RFC 7592, section 2.3).
        return answer.status < 500 and answer.status != 429

    async def _end_quietly(self, found: Registered) -> None:
        """Takes back what is of no use to us, if the provider lets us."""
        with suppress(ProviderFailedError):
            if found.uri:
                await self.end(found.uri, found.token)


def chosen_authentication(asked: str, metadata: ProviderMetadata) -> str:
    """How the client will show who it is; "" if the provider knows no way of ours."""
    if asked:
        return asked if asked in metadata.client_authentications or asked == NONE else ""
    known = [name for name in AUTHENTICATIONS if name in metadata.client_authentications]
    return known[0] if known else ""


def _registered(
    answer: ProviderAnswer, registrant: Registrant, before: tuple[str, str]
) -> Registered:
    """What the answer says.

    Args:
        before: address and token of the registration, which an answer may leave out.
    """
    if answer.status not in (200, 201):
        said = answer.content if isinstance(answer.content, dict) else {}
        error = str(said.get("error", ""))[:100]
        raise ProviderFailedError(f"the registration was answered with {answer.status} {error!r}")
    members = answer.members
    return Registered(
        client_id=_text(members, "client_id", LONGEST_ID, needed=True),
        secret=_text(members, "client_secret", LONGEST_SECRET),
        authentication=registrant.authentication,
        expires_at=_expiry(members),
        uri=_text(members, "registration_client_uri", LONGEST_URI) or before[0],
        token=_text(members, "registration_access_token", LONGEST_TOKEN) or before[1],
    )


def _require_usable(found: Registered, members: Mapping[str, Any], registrant: Registrant) -> None:
    """Refuses something else than was asked for, which a provider may register (RFC 7591, 3.2.1).

    Raises:
        ProviderFailedError: naming what is different.
    """
    method = members.get("token_endpoint_auth_method", registrant.authentication)
    if method != registrant.authentication:
        raise ProviderFailedError("it registered another token_endpoint_auth_method")
    places = members.get("redirect_uris", [registrant.redirect_uri])
    if not isinstance(places, list) or registrant.redirect_uri not in places:
        raise ProviderFailedError("it registered another redirect_uri")
    if registrant.authentication.startswith("client_secret") and not found.secret:
        raise ProviderFailedError("the registration has no client_secret")


def _expiry(members: Mapping[str, Any]) -> datetime | None:
    value = members.get("client_secret_expires_at", 0)
    # Some write it as a text.
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) > LATEST:
        raise ProviderFailedError("client_secret_expires_at is no time")
    return datetime.fromtimestamp(int(text), UTC) if int(text) else None


def _chosen(algorithms: Sequence[str]) -> str:
    return "RS256" if "RS256" in algorithms or not algorithms else algorithms[0]


def _text(members: Mapping[str, Any], name: str, longest: int, *, needed: bool = False) -> str:
    value = members.get(name)
    if value is None and not needed:
        return ""
    readable = isinstance(value, str) and value.isascii() and value.isprintable()
    if not readable or not 0 < len(str(value)) <= longest:
        raise ProviderFailedError(f"the registration has no usable {name}")
    return str(value)
