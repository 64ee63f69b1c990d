"""What has expired is deleted, and nothing else."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from portico.auth.v1 import auth_service_pb2 as pb
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import new_id
from server.features.auth.feature import FEATURE
from server.features.auth.models import RefreshToken, Session
from tests.core.world import Person, World, new_email

DAY = timedelta(days=1)

LEFT = {
    "sessions": "select count(*) from sessions where user_id = :id",
    "refresh_tokens": "select count(*) from refresh_tokens r "
    "join sessions s on s.id = r.session_id where s.user_id = :id",
    "one_time_tokens": "select count(*) from one_time_tokens where user_id = :id",
}


@pytest.fixture
async def db(world: World) -> AsyncIterator[AsyncSession]:
    """A transaction that is taken back: other tests share the database."""
    async with AsyncSession(world.engine) as db:
        yield db


async def delete_expired(db: AsyncSession, now: datetime) -> dict[str, int]:
    """Deletes all that has expired, and says how many rows of each table."""
    return {
        name: await delete_some(db, now, 100_000)
        for name, delete_some in FEATURE.tables().cleanup.items()
    }


async def left(db: AsyncSession, person: Person) -> dict[str, int]:
    return {
        name: (await db.execute(text(query), {"id": person.id})).scalar_one()
        for name, query in LEFT.items()
    }


async def add_former_token(db: AsyncSession, person: Person, expires_at: datetime) -> None:
    """Adds a refresh token of before 0.2 to a session of somebody that goes on."""
    query = select(Session.id).where(Session.user_id == UUID(person.id)).order_by(Session.id)
    session_id = (await db.scalars(query)).first()
    token = RefreshToken(
        id=new_id(),
        session_id=session_id,
        token_hash=os.urandom(32),
        created_at=expires_at,
        expires_at=expires_at,
    )
    db.add(token)
    await db.flush()


async def test_what_has_expired_is_deleted(world: World, db: AsyncSession) -> None:
    owner = await world.new_person(new_email())  # who has followed a link
    await world.sign_in(owner.email)
    with world.clock.later(5 * DAY):
        request = pb.RefreshTokenRequest(refresh_token=owner.refresh_token)
        await world.auth.RefreshToken(request)
        await world.auth.ForgotPassword(pb.ForgotPasswordRequest(email=owner.email))
    await add_former_token(db, owner, world.clock() + 7 * DAY)
    before = {"sessions": 2, "refresh_tokens": 1, "one_time_tokens": 2}
    assert await left(db, owner) == before

    # The link to verify the address is over; the sessions are not.
    await delete_expired(db, world.clock() + 2 * DAY)
    assert await left(db, owner) == before | {"one_time_tokens": 1}

    # The session that was not used is over, and so is the token of before 0.2.
    deleted = await delete_expired(db, world.clock() + 8 * DAY)
    assert await left(db, owner) == {"sessions": 1, "refresh_tokens": 0, "one_time_tokens": 0}
    assert all(deleted[name] >= 1 for name in before)

    await delete_expired(db, world.clock() + 13 * DAY)
    assert await left(db, owner) == {"sessions": 0, "refresh_tokens": 0, "one_time_tokens": 0}


async def test_a_second_time_there_is_nothing_left_to_delete(
    world: World, owner: Person, db: AsyncSession
) -> None:
    late = world.clock() + 40 * DAY
    assert (await delete_expired(db, late))["sessions"] >= 1
    assert set((await delete_expired(db, late)).values()) == {0}
