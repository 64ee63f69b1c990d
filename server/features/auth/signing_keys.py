"""The keys that sign tokens: made, sealed, published, rotated and retired.

There is a ring for each algorithm. ES256 signs access tokens, and is the only one with which
they are verified. ID tokens are signed with RS256, which every client of OpenID Connect has
to know (OpenID Connect Core, section 15.1), or with ES256 if the application prefers that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from portico_kit.clock import Clock
from portico_kit.ids import new_id
from portico_kit.jwt import ALGORITHM, SigningKey
from portico_kit.secrets import Secrets
from portico_kit.storage.base import sessions
from server.features.auth.models import (
    ABSOLUTE_LIFETIME,
    StoredIdTokenKey,
    StoredKey,
    StoredSigningKey,
)

PURPOSE = "signing-key"
LOCK = "auth.signing_keys"

MAX_AGE = timedelta(days=30)
# Longer than anyone who verifies keeps what we published.
PUBLISHED_BEFORE = timedelta(minutes=10)
# Longer than an access token lasts.
RETIRED_AFTER = timedelta(hours=1)
# As long as a session can last: with an access token of its first hour it can be ended.
FORMER_KEPT = ABSOLUTE_LIFETIME
REFRESH_INTERVAL = 30.0  # seconds
ID_TOKEN_ALGORITHM = "RS256"  # noqa: S105 - the name of an algorithm
RINGS: Mapping[str, type[StoredSigningKey | StoredIdTokenKey]] = {
    ALGORITHM: StoredSigningKey,
    ID_TOKEN_ALGORITHM: StoredIdTokenKey,
}
RSA_BITS = 2048
# A made-up kid must not make us ask the database at each call.
RELOAD_INTERVAL = 5.0  # seconds

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

log = structlog.get_logger("signing_keys")


class SealedOtherwiseError(Exception):
    """PORTICO_SECRET_KEY is not the one that the signing keys in the database were sealed with."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """The public half of a key, and its name."""

    kid: str
    public_key: PublicKey


@dataclass(frozen=True, slots=True)
class IdTokenKey:
    """A private key that signs ID tokens."""

    kid: str
    algorithm: str
    private_key: PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str
    algorithm: str
    private_key: PrivateKey = field(repr=False)
    # Made once: it is asked for at every call.
    public_key: PublicKey = field(repr=False)
    signs_from: datetime
    retired_at: datetime | None

    def retired(self, now: datetime) -> bool:
        return self.retired_at is not None and self.retired_at <= now


class SigningKeys:
    """All keys that are not retired, in memory; a `KeySet` for what signs and verifies."""

    def __init__(self, engine: AsyncEngine, secrets: Secrets, clock: Clock) -> None:
        self._sessions = sessions(engine)
        self._secrets = secrets
        self._clock = clock
        # By kid; the one that signs from the earliest moment on comes first.
        self._keys: dict[str, _Key] = {}
        # Of those that were retired, the public half.
        self._former: dict[str, PublicKey] = {}
        self._asked_at = 0.0

    async def load(self) -> None:
        """Reads the keys, and makes the first one of each algorithm if there is none.

        Raises:
            SealedOtherwiseError: if they were sealed with another secret key.
        """
        now = self._clock()
        async with self._sessions.begin() as db:
            await _lock(db)
            for algorithm in RINGS:
                if not await _stored(db, algorithm, now):
                    db.add(self._new_key(algorithm, created_at=now, signs_from=now))
        await self.refresh()

    async def refresh(self) -> None:
        """Reads the keys anew."""
        now = self._clock()
        async with self._sessions() as db:
            stored = {each: await _stored(db, each, now) for each in RINGS}
            former = {each: await _retired(db, each, now - FORMER_KEPT, now) for each in RINGS}
        known = self._keys
        self._former = self._public_halves(former)
        self._keys = {
            row.kid: self._open(algorithm, row, known.get(row.kid))
            for algorithm, rows in stored.items()
            for row in rows
        }

    async def keep_fresh(self) -> None:
        """Reads the keys anew every now and then, until it is cancelled."""
        while True:
            await asyncio.sleep(REFRESH_INTERVAL)
            try:
                await self.refresh()
            except Exception:
                log.exception("refresh_failed")

    async def rotate(self, now: datetime) -> bool:
        """Makes the next key of each ring whose newest is old enough, and says whether it did.

        The next key is published before it signs; the old one verifies for a
        while after, so that no token is refused for the change.
        """
        async with self._sessions.begin() as db:
            await _lock(db)
            made = [await self._rotate(db, algorithm, now) for algorithm in RINGS]
        return any(made)

    async def _rotate(self, db: AsyncSession, algorithm: str, now: datetime) -> bool:
        stored = await _stored(db, algorithm, now)
        if stored and now < stored[-1].created_at + MAX_AGE:
            return False
        signs_from = now + PUBLISHED_BEFORE if stored else now
        for row in stored:
            row.retired_at = row.retired_at or signs_from + RETIRED_AFTER
        db.add(self._new_key(algorithm, created_at=now, signs_from=signs_from))
        return True

    def signing_key(self) -> SigningKey:
        """The key that signs access tokens now: of those whose time has come, the newest."""
        key = self._current(ALGORITHM)
        assert isinstance(key.private_key, ec.EllipticCurvePrivateKey)
        return SigningKey(key.kid, key.private_key)

    def id_token_key(self, algorithm: str) -> IdTokenKey:
        """The key that signs ID tokens now, by an algorithm of `RINGS`."""
        key = self._current(algorithm)
        return IdTokenKey(key.kid, algorithm, key.private_key)

    async def public_key(self, kid: str) -> ec.EllipticCurvePublicKey | None:
        """The key of that name for access tokens, or None if there is none that is not retired."""
        return _elliptic(await self._public_key(kid))

    async def former_key(self, kid: str) -> ec.EllipticCurvePublicKey | None:
        """The same, also if it was retired no longer ago than a session lasts."""
        return _elliptic(await self.any_key(kid))

    async def any_key(self, kid: str) -> PublicKey | None:
        """The key of that name whatever it signs, retired or not, as long as it is known."""
        key = await self._public_key(kid)
        if key is None and kid in self._keys:
            # Retired since the keys were read.
            return self._keys[kid].public_key
        return key or self._former.get(kid)

    def published(self) -> list[PublishedKey]:
        """Every key that verifies or soon will, the one that signs access tokens now first."""
        now, current = self._clock(), self.signing_key().kid
        keys = [key for key in self._keys.values() if not key.retired(now)]
        keys.sort(key=lambda key: key.kid != current)
        return [PublishedKey(key.kid, key.public_key) for key in keys]

    def _current(self, algorithm: str) -> _Key:
        now = self._clock()
        ready = [
            key
            for key in self._keys.values()
            if key.algorithm == algorithm and key.signs_from <= now
        ]
        return ready[-1]

    async def _public_key(self, kid: str) -> PublicKey | None:
        if kid not in self._keys and self._may_ask():
            await self.refresh()
        key = self._keys.get(kid)
        if key is None or key.retired(self._clock()):
            return None
        return key.public_key

    def _may_ask(self) -> bool:
        now = time.monotonic()
        if now - self._asked_at < RELOAD_INTERVAL:
            return False
        self._asked_at = now
        return True

    def _new_key(self, algorithm: str, *, created_at: datetime, signs_from: datetime) -> StoredKey:
        private_key = _generate(algorithm)
        pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return RINGS[algorithm](
            kid=str(new_id()),
            sealed_private_key=self._secrets.seal(PURPOSE, pem),
            created_at=created_at,
            signs_from=signs_from,
        )

    def _open(self, algorithm: str, row: StoredKey, known: _Key | None) -> _Key:
        private_key = known.private_key if known else self._unseal(algorithm, row)
        public_key = known.public_key if known else private_key.public_key()
        return _Key(row.kid, algorithm, private_key, public_key, row.signs_from, row.retired_at)

    def _public_halves(self, former: Mapping[str, Sequence[StoredKey]]) -> dict[str, PublicKey]:
        known = {kid: key.public_key for kid, key in self._keys.items()} | self._former
        found = {}
        for algorithm, rows in former.items():
            for row in rows:
                # One that was sealed with another secret key is of no use, and does no harm.
                with suppress(SealedOtherwiseError):
                    half = known.get(row.kid) or self._unseal(algorithm, row).public_key()
                    found[row.kid] = half
        return found

    def _unseal(self, algorithm: str, row: StoredKey) -> PrivateKey:
        try:
            pem = self._secrets.unseal(PURPOSE, row.sealed_private_key)
        except InvalidTag:
            raise SealedOtherwiseError from None
        private_key = load_pem_private_key(pem, password=None)
        expected = rsa.RSAPrivateKey if _is_rsa(algorithm) else ec.EllipticCurvePrivateKey
        if not isinstance(private_key, expected):
            raise TypeError(f"signing key {row.kid} is no key for {algorithm}")
        return private_key


def _is_rsa(algorithm: str) -> bool:
    return algorithm == ID_TOKEN_ALGORITHM


def _generate(algorithm: str) -> PrivateKey:
    if _is_rsa(algorithm):
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def _elliptic(key: PublicKey | None) -> ec.EllipticCurvePublicKey | None:
    """The key, unless it signs ID tokens alone: no access token is verified with one of those."""
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None


async def _lock(db: AsyncSession) -> None:
    """Two processes that start or rotate at once take turns; the second finds the first's key."""
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtext(LOCK))))


async def _stored(db: AsyncSession, algorithm: str, now: datetime) -> Sequence[StoredKey]:
    ring = RINGS[algorithm]
    query = select(ring).where(or_(ring.retired_at.is_(None), ring.retired_at > now))
    return list(await db.scalars(query.order_by(ring.signs_from)))


async def _retired(
    db: AsyncSession, algorithm: str, since: datetime, until: datetime
) -> Sequence[StoredKey]:
    ring = RINGS[algorithm]
    query = select(ring).where(since < ring.retired_at, ring.retired_at <= until)
    return list(await db.scalars(query))
