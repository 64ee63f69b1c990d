"""One call, one transaction: what is refused leaves nothing behind, unless it says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.message import Message
from portico.auth.v1 import auth_service_pb2 as auth
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portico_contract import methods
from portico_kit.call import Call, Client
from portico_kit.clock import utc_now
from portico_kit.errors import DomainError
from portico_kit.ids import new_id
from portico_kit.rpc.pipeline import Proceed
from portico_kit.rpc.transaction import Transaction
from server.common.records import RECORDS, AuditEntry
from tests.core.world import RecordingNotifier, World

(LOGOUT,) = (
    method
    for method in methods(auth.DESCRIPTOR.services_by_name["AuthService"])
    if method.name == "Logout"
)


class PlainRefusalError(DomainError):
    """No."""


class LastingRefusalError(DomainError):
    """No, and this shall be remembered."""

    keeps_changes = True


def writing_and_raising(error: Exception | None) -> Proceed:
    """A service that writes a row, wakes a worker, and ends in this way."""

    async def proceed(request: Any, call: Call) -> Message:
        call.record("tested")
        call.tasks.add("a.task")
        if error is not None:
            raise error
        return auth.LogoutResponse()

    return proceed


async def run(world: World, error: Exception | None) -> tuple[int, list[str]]:
    """How many rows are left, and which workers were woken."""
    call = Call(LOGOUT, {}, Client(), request_id=str(new_id()), now=utc_now(), records=RECORDS)
    notifier = RecordingNotifier()
    transaction = Transaction(world.engine, notifier)
    attempt = transaction(auth.LogoutRequest(), call, writing_and_raising(error))
    if error is None:
        assert await attempt == auth.LogoutResponse()
    else:
        with pytest.raises(type(error)):
            await attempt
    query = select(func.count()).where(AuditEntry.request_id == call.request_id)
    async with AsyncSession(world.engine) as db:
        return (await db.execute(query)).scalar_one(), notifier.tasks


async def test_an_answer_commits_and_wakes(world: World) -> None:
    assert await run(world, None) == (1, ["a.task"])


@pytest.mark.parametrize("error", [PlainRefusalError(), RuntimeError("a surprise")])
async def test_an_error_takes_everything_back(world: World, error: Exception) -> None:
    assert await run(world, error) == (0, [])


async def test_a_refusal_that_keeps_changes_commits_and_wakes(world: World) -> None:
    assert await run(world, LastingRefusalError()) == (1, ["a.task"])


async def test_what_follows_the_commit_happens_though_the_caller_has_left(world: World) -> None:
    call = Call(LOGOUT, {}, Client(), request_id=str(new_id()), now=utc_now(), records=RECORDS)
    begun, left, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def tell() -> None:
        begun.set()
        await left.wait()
        told.set()

    call.after_commit.append(tell)
    transaction = Transaction(world.engine, RecordingNotifier())
    attempt = asyncio.create_task(
        transaction(auth.LogoutRequest(), call, writing_and_raising(None))
    )
    async with asyncio.timeout(5):
        await begun.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        left.set()
        await told.wait()
