"""The keys that sign access tokens: made, sealed, published, rotated and retired."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
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
from portico_kit.jwt import SigningKey
from portico_kit.secrets import Secrets
from portico_kit.storage.base import sessions
from server.features.auth.models import ABSOLUTE_LIFETIME, StoredSigningKey

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
# A made-up kid must not make us ask the database at each call.
RELOAD_INTERVAL = 5.0  # seconds

log = structlog.get_logger("signing_keys")


class SealedOtherwiseError(Exception):
    """PORTICO_SECRET_KEY is not the one that the signing keys in the database were sealed with."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """The public half of a key, and its name."""

    kid: str
    public_key: ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)
    # Made once: it is asked for at every call.
    public_key: ec.EllipticCurvePublicKey = field(repr=False)
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
        self._former: dict[str, ec.EllipticCurvePublicKey] = {}
        self._asked_at = 0.0

    async def load(self) -> None:
        """Reads the keys, and makes the first one if there is none.

        Raises:
            SealedOtherwiseError: if they were sealed with another secret key.
        """
        now = self._clock()
        async with self._sessions.begin() as db:
            await _lock(db)
            if not await _stored(db, now):
                db.add(self._new_key(created_at=now, signs_from=now))
        await self.refresh()

    async def refresh(self) -> None:
        """Reads the keys anew."""
        now = self._clock()
        async with self._sessions() as db:
            stored = await _stored(db, now)
            former = await _retired(db, now - FORMER_KEPT, now)
        known = self._keys
        self._former = self._public_halves(former)
        self._keys = {row.kid: self._open(row, known.get(row.kid)) for row in stored}

    async def keep_fresh(self) -> None:
        """Reads the keys anew every now and then, until it is cancelled."""
        while True:
            await asyncio.sleep(REFRESH_INTERVAL)
            try:
                await self.refresh()
            except Exception:
                log.exception("refresh_failed")

    async def rotate(self, now: datetime) -> bool:
        """Makes the next key if the newest one is old enough, and says whether it did.

        The next key is published before it signs; the old one verifies for a
        while after, so that no token is refused for the change.
        """
        async with self._sessions.begin() as db:
            await _lock(db)
            stored = await _stored(db, now)
            if stored and now < stored[-1].created_at + MAX_AGE:
                return False
            signs_from = now + PUBLISHED_BEFORE if stored else now
            for row in stored:
                row.retired_at = row.retired_at or signs_from + RETIRED_AFTER
            db.add(self._new_key(created_at=now, signs_from=signs_from))
        return True

    def signing_key(self) -> SigningKey:
        """The key that signs now: of those whose time has come, the newest."""
        now = self._clock()
        ready = [key for key in self._keys.values() if key.signs_from <= now]
        return SigningKey(ready[-1].kid, ready[-1].private_key)

    async def public_key(self, kid: str) -> ec.EllipticCurvePublicKey | None:
        """The key of that name, or None if there is none that is not retired."""
        if kid not in self._keys and self._may_ask():
            await self.refresh()
        key = self._keys.get(kid)
        if key is None or key.retired(self._clock()):
            return None
        return key.public_key

    async def former_key(self, kid: str) -> ec.EllipticCurvePublicKey | None:
        """The same, also if it was retired no longer ago than a session lasts."""
        key = await self.public_key(kid)
        if key is None and kid in self._keys:
            # Retired since the keys were read.
            return self._keys[kid].public_key
        return key or self._former.get(kid)

    def published(self) -> list[PublishedKey]:
        """Every key that verifies or soon will, the one that signs now first."""
        now, current = self._clock(), self.signing_key().kid
        keys = [key for key in self._keys.values() if not key.retired(now)]
        keys.sort(key=lambda key: key.kid != current)
        return [PublishedKey(key.kid, key.public_key) for key in keys]

    def _may_ask(self) -> bool:
        now = time.monotonic()
        if now - self._asked_at < RELOAD_INTERVAL:
            return False
        self._asked_at = now
        return True

    def _new_key(self, *, created_at: datetime, signs_from: datetime) -> StoredSigningKey:
        private_key = ec.generate_private_key(ec.SECP256R1())
        pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return StoredSigningKey(
            kid=str(new_id()),
            sealed_private_key=self._secrets.seal(PURPOSE, pem),
            created_at=created_at,
            signs_from=signs_from,
        )

    def _open(self, row: StoredSigningKey, known: _Key | None) -> _Key:
        private_key = known.private_key if known else self._unseal(row)
        public_key = known.public_key if known else private_key.public_key()
        return _Key(row.kid, private_key, public_key, row.signs_from, row.retired_at)

    def _public_halves(
        self, former: Sequence[StoredSigningKey]
    ) -> dict[str, ec.EllipticCurvePublicKey]:
        known = {kid: key.public_key for kid, key in self._keys.items()} | self._former
        found = {}
        for row in former:
            # One that was sealed with another secret key is of no use, and does no harm.
            with suppress(SealedOtherwiseError):
                found[row.kid] = known.get(row.kid) or self._unseal(row).public_key()
        return found

    def _unseal(self, row: StoredSigningKey) -> ec.EllipticCurvePrivateKey:
        try:
            pem = self._secrets.unseal(PURPOSE, row.sealed_private_key)
        except InvalidTag:
            raise SealedOtherwiseError from None
        private_key = load_pem_private_key(pem, password=None)
        if not isinstance(private_key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"signing key {row.kid} is no elliptic-curve key")
        return private_key


async def _lock(db: AsyncSession) -> None:
    """Two processes that start or rotate at once take turns; the second finds the first's key."""
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtext(LOCK))))


async def _stored(db: AsyncSession, now: datetime) -> Sequence[StoredSigningKey]:
    query = select(StoredSigningKey).where(
        or_(StoredSigningKey.retired_at.is_(None), StoredSigningKey.retired_at > now)
    )
    return (await db.scalars(query.order_by(StoredSigningKey.signs_from))).all()


async def _retired(
    db: AsyncSession, since: datetime, until: datetime
) -> Sequence[StoredSigningKey]:
    retired = StoredSigningKey.retired_at
    return (
        await db.scalars(select(StoredSigningKey).where(since < retired, retired <= until))
    ).all()
