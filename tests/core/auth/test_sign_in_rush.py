"""More sign-ins than can be checked: those in line wait without a connection, others come back."""

from __future__ import annotations

import asyncio
import os
from uuid import uuid4

import grpc
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.testing.waiting import eventually
from server.common.records import AuditEntry
from server.features.users.password_hashes import Bcrypt
from tests.core.conftest import Refused
from tests.core.world import PASSWORD, Person, World, new_email, refusal

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
# Half a second each, so that five for each processor are more than two seconds' work.
SLOW = Bcrypt(13)
MANY = 10 * (os.cpu_count() or 1)


async def entries(world: World, request_id: str) -> int:
    query = select(AuditEntry.id).where(AuditEntry.request_id == request_id)
    async with AsyncSession(world.engine) as db:
        return len((await db.scalars(query)).all())


async def test_past_the_queue_everybody_is_sent_away_at_once_and_nothing_is_written(
    world: World, owner: Person, refused: Refused
) -> None:
    """Known addresses as unknown ones; those who leave give their places back."""
    slow = await world.new_accounts(MANY, await world.passwords(SLOW).hash(PASSWORD))

    def login(
        email: str, request_id: str = ""
    ) -> aio.UnaryUnaryCall[pb.LoginRequest, pb.LoginResponse]:
        request = pb.LoginRequest(email=email, password="wrong")
        return world.auth.Login(request, metadata=(("x-request-id", request_id),))

    rush = [asyncio.ensure_future(_outcome(login(email))) for email in slow]
    try:
        await eventually(lambda: any(each.done() for each in rush))
        refusals = []
        for email in (owner.email, new_email()):
            request_id = uuid4().hex
            refusals.append(await refused(login(email, request_id), UNAVAILABLE, "UNAVAILABLE"))
            assert await entries(world, request_id) == 0
        known, unknown = refusals
        assert known == unknown
        assert known.retry_after is not None
        assert 1 <= known.retry_after <= 2
        registration = pb.RegisterRequest(
            email=new_email(), password=PASSWORD, display_name="Ada", accepted_terms=True
        )
        await refused(world.auth.Register(registration), UNAVAILABLE, "UNAVAILABLE")
        # Those who wait keep nothing from others.
        assert world.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert (await world.users.GetMe(users.GetMeRequest(), metadata=owner.metadata)).user.id
    finally:
        for each in rush:
            each.cancel()
        await asyncio.gather(*rush, return_exceptions=True)
    signed_in = await _patiently(world, owner)
    assert signed_in.user.id == owner.id


async def _outcome(call: aio.UnaryUnaryCall[pb.LoginRequest, pb.LoginResponse]) -> str:
    try:
        await call
    except aio.AioRpcError as error:
        return refusal(error).reason
    return "OK"


async def _patiently(world: World, person: Person) -> pb.LoginResponse:
    """A sign-in by a client that comes back when it is told to."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await world.auth.Login(
                    pb.LoginRequest(email=person.email, password=PASSWORD)
                )
            except aio.AioRpcError as error:
                found = refusal(error)
                assert found.code is UNAVAILABLE
                await asyncio.sleep(found.retry_after or 0)
