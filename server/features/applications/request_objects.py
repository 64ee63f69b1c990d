"""Authorization requests that clients have signed (RFC 9101; OpenID Connect Core, section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from portico_kit.clock import Clock
from server.features.applications.assertions import UsedAssertions
from server.features.applications.client_jwts import (
    LONGEST_JTI,
    SKEW,
    Claims,
    ClientJwts,
    refuse,
    time_problem,
)
from server.features.applications.jwks import ASSERTION_ALGORITHMS
from server.features.applications.read_models import Client

# What it may say of itself; nothing that stands for anything else (RFC 8725, section 3.11).
TYPES = (None, "jwt", "oauth-authz-req+jwt")
# As long as a request that was begun. An older one is of some other day.
LONGEST_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RequestObjects:
    """Verifies them."""

    jwts: ClientJwts
    used: UsedAssertions
    clock: Clock

    async def check(self, client: Client, text: str, issuer: str, *, once: bool) -> Claims:
        """What a client has signed for us, lately.

        Args:
            once: whether one that has a `jti` is good a single time. A browser may bring it
                more often: people reload, and go back.

        Raises:
            InvalidClientError: if it has not.
            UnavailableError: if nobody can say whether it came before.
        """
        if text.count(".") == 4:
            refuse("encrypted request objects are not supported")
        own = client.request_object_signing_alg
        claims = await self.jwts.claims(client, text, TYPES, [own] if own else ASSERTION_ALGORITHMS)
        problem = request_problem(claims, client.client_id, issuer, self.clock())
        if problem is not None:
            refuse(problem)
        if once and claims.get("jti") is not None:
            remaining = datetime.fromtimestamp(claims["exp"], UTC) + SKEW - self.clock()
            if not await self.used.use(f"request {client.client_id}", claims["jti"], remaining):
                refuse("the request object was used before")
        return claims


def request_problem(claims: Claims, client_id: str, issuer: str, now: datetime) -> str | None:
    """What is wrong with a request object of a client; None if nothing is."""
    if claims.get("iss") != client_id:
        return "iss must be the client_id"
    # It would pass for the client's proof of who it is (RFC 9101, section 10.8).
    if claims.get("sub") == client_id:
        return "sub must not be the client_id"
    audience = claims.get("aud")
    if issuer not in (audience if isinstance(audience, list) else [audience]):
        return "aud must be the issuer"
    jti = claims.get("jti")
    if jti is not None and not (isinstance(jti, str) and 0 < len(jti) <= LONGEST_JTI):
        return f"jti must have 1 to {LONGEST_JTI} characters"
    return time_problem(claims, now, LONGEST_LIFETIME) or _age_problem(claims, now)


def _age_problem(claims: Claims, now: datetime) -> str | None:
    oldest = (now - LONGEST_LIFETIME).timestamp()
    for name in ("iat", "nbf"):
        if claims.get(name) is not None and not claims[name] >= oldest:
            return f"{name} must not be more than an hour ago"
    return None
