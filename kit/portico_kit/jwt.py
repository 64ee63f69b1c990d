"""Access tokens: ES256-signed JWTs (RFC 7519, RFC 7518 section 3.4)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Protocol
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)

from portico_kit.clock import Clock
from portico_kit.errors import TokenExpiredError, UnauthenticatedError
from portico_kit.ids import new_id
from portico_kit.jws import signed

ALGORITHM = "ES256"
# Of tokens that clients hold and present themselves.
PUBLIC_AUDIENCE = "portico"
# Of tokens that our edge gets in exchange for a client's secret. The gateway refuses them
# from outside.
INTERNAL_AUDIENCE = "portico-internal"
ACCESS_TOKEN_LIFETIME = timedelta(minutes=15)
VERIFIED_TOKENS_KEPT = 10_000

# The claims that the fields of `Claims` are read from, and those that every token has.
_COMMON_CLAIMS = frozenset(
    {"iss", "aud", "sub", "kind", "sid", "org", "sec", "tier", "scope", "iat", "exp", "jti"}
)


@dataclass(frozen=True, slots=True)
class TokenKind:
    """A kind of token. A token of one kind is never accepted as one of another.

    Attributes:
        name: the value of the claim `kind`; also the kind of the principal.
        audience: the value of the claim `aud` (RFC 7519, section 4.1.3).
        media_type: the value of the header `typ` (RFC 8725, section 3.11).
        required: claims that a token of this kind has beside those that all have.
        issuer: the value of the claim `iss`; "" for the platform's own name. What the OAuth
            server issues has the URL by which clients know that server.
    """

    name: str
    audience: str
    media_type: str = "JWT"
    required: tuple[str, ...] = ()
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the name that the token's header gives it."""

    kid: str
    private_key: EllipticCurvePrivateKey


class KeySet(Protocol):
    """The keys that sign and verify; the auth feature keeps them."""

    def signing_key(self) -> SigningKey:
        """The key that signs now."""
        ...

    async def public_key(self, kid: str) -> EllipticCurvePublicKey | None:
        """The key of that name, or None if we have none."""
        ...

    async def former_key(self, kid: str) -> EllipticCurvePublicKey | None:
        """The same, also a key that was retired while what it signed may still name a session."""
        ...


FindKey = Callable[[str], Awaitable[EllipticCurvePublicKey | None]]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says.

    Attributes:
        kind: which kind of token it is, by name.
        audience: whom it is for; that of its kind.
        subject: whom it stands for, and who is charged: a user, an API key.
        session_id: the session that it belongs to, if it belongs to one.
        organization_id: the active organization, if there is one.
        secret_id: which of several secrets was presented for it; "" if none was.
        tier: what the rate limits go by.
        scopes: the permissions that it is narrowed to (RFC 8693, section 4.2); None if it
            is not narrowed.
        private: claims that only tokens of its kind have (RFC 7519, section 4.3).
        issued_at: in seconds, as in the token; 0 if it does not say.
        token_id: the token's own name (`jti`); "" if it has none.
    """

    kind: str
    audience: str
    subject: UUID
    session_id: UUID | None
    organization_id: UUID | None
    secret_id: str
    tier: str
    expires_at: datetime
    scopes: frozenset[str] | None = None
    private: Mapping[str, Any] = field(default_factory=dict)
    issued_at: int = 0
    token_id: str = ""


class TokenIssuer:
    """Signs tokens."""

    def __init__(self, keys: KeySet, issuer: str, clock: Clock) -> None:
        """Takes the keys, and the name of the platform for kinds that have no issuer."""
        self._keys = keys
        self._issuer = issuer
        self._clock = clock

    def issue(
        self,
        *,
        kind: TokenKind,
        subject: UUID,
        session_id: UUID | None = None,
        organization_id: UUID | None,
        secret_id: str = "",
        tier: str,
        scopes: frozenset[str] | None = None,
        private: Mapping[str, Any] | None = None,
        lifetime: timedelta = ACCESS_TOKEN_LIFETIME,
        audience: str = "",
        not_after: datetime | None = None,
    ) -> str:
        """A signed token; see `Claims` for what it says.

        Args:
            audience: whom it is for, if not for whom its kind is for. Nothing here accepts it.
            not_after: in whole seconds, when it ends at the latest.

        Raises:
            ValueError: if a private claim has the name of another one.
        """
        private = private or {}
        if not _COMMON_CLAIMS.isdisjoint(private):
            raise ValueError(f"not private: {', '.join(sorted(_COMMON_CLAIMS & private.keys()))}")
        now = self._clock()
        # Rounded up: nothing ends before the moment that was stated for it.
        expires = ceil((now + lifetime).timestamp())
        claims = {
            **private,
            "iss": kind.issuer or self._issuer,
            "aud": audience or kind.audience,
            "sub": str(subject),
            "kind": kind.name,
            "sid": str(session_id) if session_id else None,
            "org": str(organization_id) if organization_id else None,
            "sec": secret_id or None,
            "tier": tier,
            "scope": None if scopes is None else " ".join(sorted(scopes)),
            "iat": int(now.timestamp()),
            "exp": expires if not_after is None else min(expires, int(not_after.timestamp())),
            "jti": str(new_id()),
        }
        present = {name: value for name, value in claims.items() if value is not None}
        key = self._keys.signing_key()
        return signed(present, key.private_key, key.kid, kind.media_type)


class TokenVerifier:
    """Verifies tokens, and remembers those it has verified: a signature costs 80 us, a look 1.

    Only the token's own facts are remembered. Whether its session or key still
    lives is asked anew at each call.
    """

    def __init__(self, keys: KeySet, issuer: str, clock: Clock, kinds: Iterable[TokenKind]) -> None:
        """Takes the kinds that are accepted, besides what signatures are held against."""
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._kinds = {kind.name: kind for kind in kinds}
        self._audiences = sorted({kind.audience for kind in self._kinds.values()})
        self._issuers = sorted({kind.issuer or issuer for kind in self._kinds.values()})
        self._verified: OrderedDict[str, tuple[str, Claims]] = OrderedDict()

    async def verify(self, token: str) -> Claims:
        """What a token says, if it is ours and still valid.

        Raises:
            UnauthenticatedError: if it is none of ours, or was tampered with.
            TokenExpiredError: if its time is over.
        """
        claims = await self._signed(token, self._keys.public_key)
        if claims.expires_at <= self._clock():
            self._verified.pop(token, None)
            raise TokenExpiredError
        return claims

    async def verify_expired(self, token: str) -> Claims:
        """What a token says, if it is ours, whether its time or that of its key is over or not.

        For what ends things alone: whoever has held the token may end what it opened.

        Raises:
            UnauthenticatedError: if it is none of ours, or was tampered with.
        """
        return await self._signed(token, self._keys.former_key)

    async def _signed(self, token: str, find_key: FindKey) -> Claims:
        kid, claims = self._verified.get(token) or await self._check(token, find_key)
        if await find_key(kid) is None:
            self._verified.pop(token, None)
            raise UnauthenticatedError
        return claims

    async def _check(self, token: str, find_key: FindKey) -> tuple[str, Claims]:
        try:
            header = jwt.get_unverified_header(token)
            kid = str(header.get("kid", ""))
            key = await find_key(kid)
            if key is None:
                raise UnauthenticatedError
            payload = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audiences,
                issuer=self._issuers,
                # Times are compared with our own clock, at each use anew; who holds
                # a signing key of ours does not date tokens into the future.
                options={
                    "require": ["exp", "iss", "aud", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
            claims = _claims(self._kind(header, payload), payload)
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
            raise UnauthenticatedError from None
        self._remember(token, kid, claims)
        return kid, claims

    def _kind(self, header: Mapping[str, Any], payload: Mapping[str, Any]) -> TokenKind:
        """The kind of a token whose signature is good.

        Kind, issuer, audience and type belong together: what the same key signs for another
        purpose, or for another audience, passes for nothing else (RFC 8725, section 3.12).

        Raises:
            KeyError: if the kind is unknown.
            ValueError: if it is not what the rest of the token says.
        """
        kind = self._kinds[payload["kind"]]
        if payload["iss"] != (kind.issuer or self._issuer):
            raise ValueError(payload["iss"])
        # One audience, as we issue it: a list is nothing of ours.
        if payload["aud"] != kind.audience:
            raise ValueError(payload["aud"])
        if str(header.get("typ", "")).lower() != kind.media_type.lower():
            raise ValueError(header.get("typ"))
        if not payload.keys() >= set(kind.required):
            raise ValueError(kind.required)
        return kind

    def _remember(self, token: str, kid: str, claims: Claims) -> None:
        self._verified[token] = (kid, claims)
        if len(self._verified) > VERIFIED_TOKENS_KEPT:
            self._verified.popitem(last=False)


def _claims(kind: TokenKind, payload: Mapping[str, Any]) -> Claims:
    return Claims(
        kind=kind.name,
        audience=kind.audience,
        subject=UUID(str(payload["sub"])),
        session_id=UUID(str(payload["sid"])) if "sid" in payload else None,
        organization_id=UUID(str(payload["org"])) if "org" in payload else None,
        secret_id=str(payload.get("sec", "")),
        tier=str(payload["tier"]),
        expires_at=datetime.fromtimestamp(int(str(payload["exp"])), UTC),
        scopes=frozenset(str(payload["scope"]).split()) if "scope" in payload else None,
        private={name: value for name, value in payload.items() if name not in _COMMON_CLAIMS},
        issued_at=int(str(payload.get("iat", 0))),
        token_id=str(payload.get("jti", "")),
    )
