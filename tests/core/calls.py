"""Small steps that tests of calls share: what came beside an answer, and who won a race."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

from grpc import aio
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.core.world import Person, refusal

Response = TypeVar("Response")


async def headers(call: Any) -> Mapping[str, str]:
    """The initial metadata of a call that has answered."""
    return dict(await call.initial_metadata())


async def answered(call: Any) -> Mapping[str, str]:
    """The initial metadata of a call, once it has answered."""
    await call
    return await headers(call)


def if_match(person: Person, tag: str) -> tuple[tuple[str, str], ...]:
    """What a call of this person carries that expects a version."""
    return (*person.metadata, ("if-match", tag))


def version(tag: str) -> int:
    """The version that an entity tag names, before the digest of the answer."""
    return int(tag.strip('"').partition("-")[0])


async def race(*calls: Awaitable[Response]) -> tuple[list[Response], list[str]]:
    """Makes the calls at once: the answers, and the reasons of those that were refused."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    reasons = [refusal(result).reason for result in results if isinstance(result, aio.AioRpcError)]
    answers = [result for result in results if not isinstance(result, BaseException)]
    assert len(answers) + len(reasons) == len(results), results
    return answers, reasons


async def pages(read: Callable[[str], Awaitable[Any]], *, at_most: int = 20) -> list[Any]:
    """Every page of a list, from the first to the one that says it is the last.

    Args:
        read: gives the page for a cursor.
        at_most: more pages than this are a failure, for a list must end.
    """
    found = [await read("")]
    while found[-1].has_more:
        assert len(found) < at_most, "the list does not end"
        found.append(await read(found[-1].next_cursor))
    assert found[-1].next_cursor == ""
    return found


def new_slug() -> str:
    """A slug that no organization has."""
    return f"slug-{uuid4().hex}"


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[list[str]]:
    """What the database is asked, in order; to take a savepoint back counts as to keep it."""
    sent: list[str] = []

    def note(*arguments: Any) -> None:
        sent.append(re.sub(r"(RELEASE|ROLLBACK TO) SAVEPOINT", "END OF SAVEPOINT", arguments[2]))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
