"""What is asked about the devices and networks that people have signed in from."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.reads import keyed_query
from server.features.auth.models import SignInPlace

# Of each kind and account: a program that keeps no token of its device has a new one each time.
MOST = 50


class Place(NamedTuple):
    """A device or a network, by its keyed hash."""

    kind: str
    value_hash: bytes


# Those of the devices, by their hashes, from which the person `user_id` has signed in.
DEVICES = keyed_query(
    select(SignInPlace.value_hash).where(
        SignInPlace.user_id == bindparam("user_id"), SignInPlace.kind == "device"
    ),
    SignInPlace.value_hash,
)


class PlaceRepository:
    """Devices and networks in the caller's transaction; the person's account has to be locked."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    async def known(self, user_id: UUID) -> frozenset[Place]:
        """All from which the person has signed in; no more than `MOST` of each kind."""
        query = select(SignInPlace.kind, SignInPlace.value_hash)
        rows = await self._db.execute(query.where(SignInPlace.user_id == user_id))
        return frozenset(Place(kind, value_hash) for kind, value_hash in rows)

    async def see(self, user_id: UUID, places: Collection[Place], now: datetime) -> None:
        """Notes that the person has signed in from these."""
        rows = [
            {
                "user_id": user_id,
                "kind": place.kind,
                "value_hash": place.value_hash,
                "first_seen_at": now,
                "last_seen_at": now,
            }
            for place in places
        ]
        seen = insert(SignInPlace).values(rows)
        again = {"last_seen_at": seen.excluded.last_seen_at}
        await self._db.execute(
            seen.on_conflict_do_update(index_elements=["user_id", "kind", "value_hash"], set_=again)
        )

    async def trim(self, user_id: UUID, kind: str) -> None:
        """Forgets those of a kind that were not used for the longest, but for `MOST`."""
        of_kind = (SignInPlace.user_id == user_id, SignInPlace.kind == kind)
        oldest = (
            select(SignInPlace.value_hash)
            .where(*of_kind)
            .order_by(SignInPlace.last_seen_at.desc(), SignInPlace.value_hash)
            .offset(MOST)
        )
        await self._db.execute(
            delete(SignInPlace)
            .where(*of_kind, SignInPlace.value_hash.in_(oldest))
            .execution_options(synchronize_session=False)
        )

    async def forget_devices(self, user_id: UUID) -> None:
        """Forgets every device of the person: one may be in other hands."""
        gone = delete(SignInPlace).where(
            SignInPlace.user_id == user_id, SignInPlace.kind == "device"
        )
        await self._db.execute(gone.execution_options(synchronize_session=False))

    async def forget(self, user_id: UUID, device_hash: bytes | None = None) -> None:
        """Forgets a device, or all places of the person."""
        gone = delete(SignInPlace).where(SignInPlace.user_id == user_id)
        if device_hash is not None:
            gone = gone.where(SignInPlace.kind == "device", SignInPlace.value_hash == device_hash)
        await self._db.execute(gone.execution_options(synchronize_session=False))
