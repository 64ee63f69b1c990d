"""What is asked about the devices and networks that people have signed in from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.reads import keyed_query
from portico_kit.storage.statements import compiled, run_in
from server.features.auth.models import SignInPlace

# Of each kind and account: a program that keeps no token of its device has a new one each time.
MOST = 50


class Place(NamedTuple):
    """A device or a network of a sign-in.

    Attributes:
        is_new: whether the person had never signed in from it.
        known: how many of its kind they had signed in from, at most `MOST`.
    """

    kind: str
    is_new: bool
    known: int


# Those of the devices, by their hashes, from which the person `user_id` has signed in.
DEVICES = keyed_query(
    select(SignInPlace.value_hash).where(
        SignInPlace.user_id == bindparam("user_id"), SignInPlace.kind == "device"
    ),
    SignInPlace.value_hash,
)

# Notes that the person `user_id` has signed in from a device and a network. What it gives of
# each, see `Place`, is of before.
_places = insert(SignInPlace).values(
    [
        {
            "user_id": bindparam("user_id"),
            "kind": kind,
            "value_hash": bindparam(f"{kind}_hash"),
            "first_seen_at": bindparam("now"),
            "last_seen_at": bindparam("now"),
        }
        for kind in ("device", "network")
    ]
)
_seen = (
    _places.on_conflict_do_update(
        index_elements=["user_id", "kind", "value_hash"],
        set_={"last_seen_at": _places.excluded.last_seen_at},
    )
    .returning(SignInPlace.user_id, SignInPlace.kind, SignInPlace.value_hash)
    .cte("seen")
)
_of_before = func.count(SignInPlace.value_hash)
SEE = compiled(
    select(
        _seen.c.kind,
        (_of_before.filter(SignInPlace.value_hash == _seen.c.value_hash) == 0).label("is_new"),
        _of_before.label("known"),
    )
    .join_from(
        _seen,
        SignInPlace,
        and_(SignInPlace.user_id == _seen.c.user_id, SignInPlace.kind == _seen.c.kind),
        isouter=True,
    )
    .group_by(_seen.c.kind)
)


class PlaceRepository:
    """Devices and networks in the caller's transaction; the person's account has to be locked."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    async def see(
        self, user_id: UUID, device_hash: bytes, network_hash: bytes, now: datetime
    ) -> Sequence[Place]:
        """Notes that the person has signed in from these, and says what they were before."""
        rows = await run_in(
            self._db,
            SEE,
            user_id=user_id,
            device_hash=device_hash,
            network_hash=network_hash,
            now=now,
        )
        return [Place(*row) for row in rows]

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
