"""Clients that sign who they are: private_key_jwt (RFC 7523; OpenID Connect Core, section 9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from redis.asyncio import Redis

from portico_kit.clock import Clock
from portico_kit.errors import UnavailableError
from portico_kit.secrets import Secrets
from server.common.scripts import ERRORS, ScriptRunner
from server.features.applications.authentication import ClientAuthentication
from server.features.applications.client_jwts import (
    LONGEST,
    LONGEST_JTI,
    SKEW,
    Claims,
    ClientJwts,
    refuse,
    time_problem,
)
from server.features.applications.errors import InvalidClientError
from server.features.applications.kinds import PRIVATE_KEY_JWT
from server.features.applications.read_models import Client

PURPOSE = "client-assertion"
HASH_BYTES = 16
LONGEST_LIFETIME = timedelta(minutes=5)
# What a JWT that is for something else would say of itself (RFC 8725, section 3.11).
TYPES = (None, "jwt", "client-authentication+jwt")

_USE_ONCE = "return redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) and 1 or 0"


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

    jwts: ClientJwts
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
        claims = await self.jwts.claims(client, request.assertion, TYPES)
        problem = _problem(claims, client.client_id, request.audiences, self.clock())
        if problem is not None:
            # Only who has the key hears what is wrong.
            refuse(problem)
        remaining = datetime.fromtimestamp(claims["exp"], self.clock().tzinfo) + SKEW - self.clock()
        if not await self.used.use(client.client_id, claims["jti"], remaining):
            refuse("the assertion was used before")
        return client


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
    problem = time_problem(claims, now, LONGEST_LIFETIME)
    if problem is not None:
        return problem
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        return f"jti must have 1 to {LONGEST_JTI} characters"
    return None
