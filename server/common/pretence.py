"""The same work for an address that has an account and for one that has none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from portico_kit.call import Call


@asynccontextmanager
async def kept_if(wanted: bool, call: Call) -> AsyncIterator[None]:
    """Does the work inside and takes it back at its end, unless it is wanted.

    Neither the answer nor its time tells who has an account. What the call records after it
    makes a commit either way.
    """
    attempt = await call.db.begin_nested()
    yield
    await call.db.flush()
    await (attempt.commit() if wanted else attempt.rollback())
