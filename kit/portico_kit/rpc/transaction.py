"""Runs each call in one transaction, and what must follow the commit after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import structlog
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from portico_kit.call import Call
from portico_kit.errors import DomainError
from portico_kit.rpc.pipeline import Proceed
from portico_kit.storage.base import sessions
from portico_kit.storage.statements import write_in
from portico_kit.tasks.notifier import TaskNotifier

log = structlog.get_logger("rpc")


class Transaction:
    """Gives a call its session, commits once, and wakes the workers afterwards.

    Reads run without BEGIN and COMMIT, which saves two of three round trips; a
    read that needs one consistent picture asks one query.
    """

    def __init__(self, engine: AsyncEngine, notifier: TaskNotifier) -> None:
        self._writes = sessions(engine)
        self._reads = sessions(engine.execution_options(isolation_level="AUTOCOMMIT"))
        self._notifier = notifier

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Proceeds inside a transaction; an error rolls everything back.

        Only a refusal that says `keeps_changes` is committed, and raised after that.
        """
        call.open_db = self._reads if call.method.reads else self._writes
        try:
            outcome = await _outcome(request, call, proceed)
        except BaseException:
            # Shielded: a caller who leaves must not leave a connection behind.
            await asyncio.shield(_close(call))
            raise
        # A read that went past the session leaves nothing to complete.
        if call.opened_db is not None or call.entries or not call.method.reads:
            # Shielded: a caller who leaves must not keep from others what is committed.
            await asyncio.shield(self._complete(call))
        if isinstance(outcome, DomainError):
            raise outcome
        return outcome

    async def stream(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """A stream is no transaction: it has short ones, and no connection between them."""
        call.open_db = _no_session
        call.open_session = lambda: self._session(call)
        return await proceed(request, call)

    @asynccontextmanager
    async def _session(self, call: Call) -> AsyncIterator[AsyncSession]:
        call.opened_db = self._writes()
        try:
            yield call.opened_db
        except BaseException:
            await asyncio.shield(_close(call))
            raise
        else:
            await asyncio.shield(self._complete(call))
        finally:
            call.opened_db = None
            call.entries.clear()
            call.after_commit.clear()
            call.tasks.clear()

    async def _complete(self, call: Call) -> None:
        """The commit and all that belongs to it."""
        try:
            if call.entries:
                await write_in(call.db, call.entries)
            if call.opened_db is not None:
                await call.opened_db.commit()
        finally:
            await _close(call)
        if not call.method.reads or call.method.streaming:
            await self._follow_up(call)

    async def _follow_up(self, call: Call) -> None:
        """The commit has happened: a failure here must not look like a failed call."""
        for action in call.after_commit:
            try:
                await action()
            except Exception:
                log.exception("after_commit_failed", rpc=call.method.path)
        for task in call.tasks:
            self._notifier.notify(task)


def _no_session() -> NoReturn:
    raise RuntimeError("a stream has no transaction of its own: use call.session()")


async def _close(call: Call) -> None:
    if call.opened_db is not None:
        await call.opened_db.close()


async def _outcome(request: Any, call: Call, proceed: Proceed) -> Message | DomainError:
    """The answer, or the refusal for which the transaction is committed."""
    try:
        return await proceed(request, call)
    except DomainError as error:
        if not error.keeps_changes:
            raise
        return error
