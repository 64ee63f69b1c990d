"""Clients that sign who they are: private_key_jwt (RFC 7523; OpenID Connect Core, section 9)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeGuard

import jwt
from redis.asyncio import Redis

from portico_kit.clock import Clock
from portico_kit.errors import UnavailableError
from portico_kit.secrets import Secrets
from server.common.outbound_json import FetchFailedError
from server.common.scripts import ERRORS, ScriptRunner
from server.features.applications.authentication import ClientAuthentication
from server.features.applications.client_keys import ClientKeys
from server.features.applications.errors import InvalidClientError
from server.features.applications.jwks import ASSERTION_ALGORITHMS, suitable
from server.features.applications.kinds import PRIVATE_KEY_JWT
from server.features.applications.read_models import Client

PURPOSE = "client-assertion"
HASH_BYTES = 16
LONGEST = 16 * 1024  # characters
LONGEST_JTI = 256  # characters
LONGEST_LIFETIME = timedelta(minutes=5)
# How far a client's clock may be from ours.
SKEW = timedelta(seconds=30)
# What a JWT that is for something else would say of itself (RFC 8725, section 3.11).
TYPES = (None, "jwt", "client-authentication+jwt")

_USE_ONCE = "return redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) and 1 or 0"

Claims = Mapping[str, Any]


class UsedAssertions:
    """Remembers, in Valkey, which assertions were used, for as long as they are good."""

    def __init__(self, redis: Redis, secrets: Secrets) -> None:
        self._run = ScriptRunner(redis, _USE_ONCE)
        self._secrets = secrets

    async def use(self, client_id: str, jti: str, remaining: timedelta) -> bool:
        """Whether it is the first use.

        Raises:
            UnavailableError: if nobody can say so.
        """
        name = self._secrets.mac(PURPOSE, f"{client_id} {jti!a}")[:HASH_BYTES]
        # A little longer, for Valkey has a clock of its own.
        milliseconds = int((remaining + SKEW).total_seconds() * 1000)
        try:
            return bool(await self._run([b"client-assertions:" + name], milliseconds))
        except ERRORS as error:
            raise UnavailableError from error


@dataclass(frozen=True, slots=True)
class ClientAssertions:
    """Verifies assertions."""

    keys: ClientKeys
    used: UsedAssertions
    clock: Clock

    async def check(self, client: Client | None, request: ClientAuthentication) -> Client:
        """The client, if it signed the assertion for us, lately, and presents it for once.

        Raises:
            InvalidClientError: if not.
            UnavailableError: if nobody can say whether it was presented before.
        """
        if client is None or client.token_endpoint_auth_method != PRIVATE_KEY_JWT:
            raise InvalidClientError
        claims = await self._signed_claims(client, request.assertion)
        problem = _problem(claims, client.client_id, request.audiences, self.clock())
        if problem is not None:
            # Only who has the key hears what is wrong.
            raise _refusal(problem)
        remaining = datetime.fromtimestamp(claims["exp"], self.clock().tzinfo) + SKEW - self.clock()
        if not await self.used.use(client.client_id, claims["jti"], remaining):
            raise _refusal("the assertion was used before")
        return client

    async def _signed_claims(self, client: Client, assertion: str) -> Claims:
        header = _header(assertion)
        algorithm, kid = header["alg"], header.get("kid")
        for fresh in (False, True) if client.jwks_uri else (False,):
            try:
                keys = await self.keys.of(client, fresh=fresh)
            except FetchFailedError as error:
                raise _refusal(f"the key set at jwks_uri is of no use: {error.detail}") from error
            for key in suitable(keys, algorithm, kid):
                claims = _decoded(assertion, key.key, algorithm)
                if claims is not None:
                    return claims
        raise InvalidClientError


def claimed_client_id(assertion: str) -> str:
    """Whom an assertion is of, by its own word; "" if it does not say so."""
    if len(assertion) > LONGEST:
        return ""
    try:
        payload = jwt.decode_complete(assertion, options={"verify_signature": False})["payload"]
    except (jwt.PyJWTError, ValueError, RecursionError):
        return ""
    subject = payload.get("sub")
    return subject if isinstance(subject, str) else ""


def _header(assertion: str) -> Mapping[str, Any]:
    """The header, if we would understand what it heads.

    Raises:
        InvalidClientError: if not.
    """
    try:
        if len(assertion) > LONGEST or not assertion.isascii():
            raise InvalidClientError
        header = jwt.get_unverified_header(assertion)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise InvalidClientError from error
    kind, kid = header.get("typ"), header.get("kid")
    if header.get("alg") not in ASSERTION_ALGORITHMS or "crit" in header:
        raise InvalidClientError
    if not isinstance(kind, str | None) or (kind and kind.lower()) not in TYPES:
        raise InvalidClientError
    if not isinstance(kid, str | None):
        raise InvalidClientError
    return header


def _decoded(assertion: str, key: Any, algorithm: str) -> Claims | None:
    """What the assertion says, if the signature is right. The claims are checked by us."""
    try:
        claims = json.loads(jwt.PyJWS().decode(assertion, key, algorithms=[algorithm]))
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _problem(
    claims: Claims, client_id: str, audiences: tuple[str, ...], now: datetime
) -> str | None:
    """What is wrong with the claims of a client; None if nothing is."""
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        return "iss and sub must be the client_id"
    audience = claims.get("aud")
    several = audience if isinstance(audience, list) else [audience]
    # All of them, not one: it must be of no use to anybody else.
    if not several or not all(isinstance(one, str) and one in audiences for one in several):
        return "aud must be the issuer"
    moment, skew = now.timestamp(), SKEW.total_seconds()
    end, begin, not_before = claims.get("exp"), claims.get("iat"), claims.get("nbf")
    if not _is_number(end) or not moment < end + skew:
        return "it has expired"
    if not end <= moment + LONGEST_LIFETIME.total_seconds() + skew:
        return "it must expire within 5 minutes"
    for name, value in (("iat", begin), ("nbf", not_before)):
        if value is not None and not (_is_number(value) and value <= moment + skew):
            return f"{name} must not be in the future"
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        return f"jti must have 1 to {LONGEST_JTI} characters"
    return None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refusal(description: str) -> InvalidClientError:
    return InvalidClientError(error_description=description)
