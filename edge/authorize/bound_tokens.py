"""Tokens that are bound to a key (RFC 9449): verified, and held against the proof beside them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import jwt
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from edge.authorize.published_keys import PublishedKeys
from edge.authorize.verified_key import Unavailable
from portico_kit import dpop
from portico_kit.client_certificates import bound_certificate, is_bound_to
from portico_kit.clock import Clock
from portico_kit.dpop import DpopError, DpopNonces, DpopProof
from portico_kit.edge_state.possession import PossessionSeal

ALGORITHM, MEDIA_TYPE = "ES256", "at+jwt"
KINDS = frozenset({"application", "grant"})
REMEMBERED = 4096
# What a method says whose callers are people who have signed in.
SIGNED_IN = "signed_in"

log = structlog.get_logger("authorize")


@dataclass(frozen=True, slots=True)
class BoundRequest:
    """What Envoy says of a request.

    Attributes:
        token: the access token.
        proof: the header DPoP; "" if there is none.
        method: of HTTP, as the client has sent it.
        path: with its query, as the client has sent it.
        permission: what the method of the API needs, or "".
        access: the access rule of that method.
        certificate: of the client's TLS connection (DER); b"" if none is known.
    """

    token: str
    proof: str
    method: str
    path: str
    permission: str
    access: str
    certificate: bytes = b""


@dataclass(frozen=True, slots=True)
class BoundToken:
    """A token that is let through.

    Attributes:
        claims: what it says.
        token: itself.
        seal: tells the core that its proof was checked.
    """

    claims: Mapping[str, Any]
    token: str
    seal: str


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """The token is not valid."""

    expired: bool = False


@dataclass(frozen=True, slots=True)
class ProofRefused:
    """The token is valid, and the proof beside it is not.

    Attributes:
        error: the code of RFC 9449.
        description: what is wrong.
    """

    error: str
    description: str


@dataclass(frozen=True, slots=True)
class ScopeRequired:
    """The token lacks a scope."""

    scope: str


@dataclass(frozen=True, slots=True)
class SessionRequired:
    """The method takes a person who is signed in."""


BoundDecision = (
    BoundToken | TokenRefused | ProofRefused | ScopeRequired | SessionRequired | Unavailable
)


class UsedProofs(Protocol):
    """Remembers proofs."""

    async def use(self, proof: DpopProof) -> bool | None:
        """Whether a proof is used for the first time; None if that cannot be known."""
        ...


class SharedUsedProofs:
    """Remembers them in Valkey, for all edge processes."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey

    async def use(self, proof: DpopProof) -> bool | None:
        """Whether a proof is used for the first time; None while Valkey does not answer."""
        name = dpop.REPLAY_PREFIX + proof.replay_id
        try:
            return bool(await self._valkey.set(name, b"", nx=True, ex=dpop.REPLAY_SECONDS))
        except (RedisError, OSError, TimeoutError):
            log.warning("proofs_not_remembered")
            return None


class BoundTokens:
    """Decides about requests with the scheme DPoP, and with tokens bound to certificates."""

    def __init__(
        self,
        keys: PublishedKeys,
        used: UsedProofs,
        *,
        origin: str,
        nonces: DpopNonces,
        seal: PossessionSeal,
        clock: Clock,
    ) -> None:
        """Takes what tokens and proofs are held against.

        Args:
            keys: that sign tokens.
            used: the proofs that were used.
            origin: the public URL without a path: issuer and audience of the tokens, and what the
                URLs of proofs start with.
            nonces: that proofs must have.
            seal: under which the core accepts the token.
            clock: the time.
        """
        self._keys, self._used = keys, used
        self._origin, self._nonces = origin, nonces
        self._seal, self._clock = seal, clock
        self._verified: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    def nonce(self) -> str:
        """The nonce for the next proof."""
        return self._nonces.issue(self._clock())

    async def decide(self, request: BoundRequest) -> BoundDecision:
        """Decides about a request; a proof that is accepted is used up."""
        now = self._clock()
        claims = await self._claims(request.token, now)
        if not isinstance(claims, Mapping):
            return claims
        if request.access == SIGNED_IN:
            return SessionRequired()
        if request.permission and request.permission not in scopes(claims):
            return ScopeRequired(request.permission)
        if bound_certificate(claims):
            return self._by_certificate(request, claims)
        return await self._by_proof(request, claims, now)

    def _by_certificate(
        self, request: BoundRequest, claims: Mapping[str, Any]
    ) -> BoundToken | TokenRefused:
        """RFC 8705, section 3: the connection has shown the key."""
        if not is_bound_to(claims, request.certificate):
            return TokenRefused()
        return BoundToken(claims, request.token, self._seal.make(request.token))

    async def _by_proof(
        self, request: BoundRequest, claims: Mapping[str, Any], now: datetime
    ) -> BoundToken | ProofRefused | Unavailable:
        try:
            proof = self._check(request, claims, now)
        except DpopError as error:
            return ProofRefused(error.error, str(error))
        first = await self._used.use(proof)
        if first is None:
            return Unavailable()
        if not first:
            return ProofRefused(DpopError.error, "The proof was used before.")
        return BoundToken(claims, request.token, self._seal.make(request.token))

    def _check(self, request: BoundRequest, claims: Mapping[str, Any], now: datetime) -> DpopProof:
        """The proof of a request.

        Raises:
            DpopError: if it has none for this request by the key of this token.
        """
        if not request.proof:
            raise DpopError("The request has no proof, which the header DPoP is for.")
        proof = dpop.check_proof(
            request.proof,
            method=request.method,
            url=self._origin + request.path,
            now=now,
            access_token=request.token,
            nonces=self._nonces,
        )
        if not dpop.is_bound_to(claims, proof.jkt):
            raise DpopError("The proof is by another key than that of the access token.")
        return proof

    async def _claims(
        self, token: str, now: datetime
    ) -> Mapping[str, Any] | TokenRefused | Unavailable:
        """What a token says, if it is an access token for the API and bound to a key."""
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            if not isinstance(kid, str) or header.get("typ") != MEDIA_TYPE:
                return TokenRefused()
            key = await self._keys.find(kid)
            if key is None:
                return Unavailable() if self._keys.is_empty else TokenRefused()
            claims = self._verified.get(token)
            if claims is None:
                claims = self._remember(token, jwt.decode(token, key, **self._rules()))
        except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
            return TokenRefused()
        if not _is_access_token(claims, self._origin):
            return TokenRefused()
        return TokenRefused(expired=True) if claims["exp"] <= now.timestamp() else claims

    def _rules(self) -> dict[str, Any]:
        return {
            "algorithms": [ALGORITHM],
            "audience": self._origin,
            "issuer": self._origin,
            "options": {
                "require": ["exp", "iss", "aud", "sub"],
                # Our own clock says whether it is over, at each use.
                "verify_exp": False,
                "verify_iat": False,
            },
        }

    def _remember(self, token: str, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        self._verified[token] = claims
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return claims


def _is_access_token(claims: Mapping[str, Any], origin: str) -> bool:
    """Whether a token that we have signed is one for the API, and bound to a key."""
    texts = (claims.get(name) for name in ("sub", "client_id", "tier"))
    return (
        claims["aud"] == origin
        and claims.get("kind") in KINDS
        and all(isinstance(text, str) for text in texts)
        and isinstance(claims["exp"], int)
        and bool(dpop.confirmation(claims) or bound_certificate(claims))
    )


def scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes of a token: words of one text (RFC 6749, section 3.3)."""
    scope = claims.get("scope")
    return frozenset(scope.split(" ")) if isinstance(scope, str) else frozenset()
