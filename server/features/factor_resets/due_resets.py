"""Carries out the resets that are due, beside the core: it takes all that a call takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from portico_contract import Method
from portico_kit.call import Call, Client, Records
from portico_kit.clock import Clock
from portico_kit.credentials import SERVICE_KIND, Principal
from portico_kit.ids import new_id
from portico_kit.storage.base import sessions
from portico_kit.storage.statements import write_in
from server.features.factor_resets.repository import FactorResetRepository
from server.features.factor_resets.resets import Resets

LOOK_SECONDS = 30.0

log = structlog.get_logger("factor_resets")


@dataclass(frozen=True, slots=True)
class DueResets:
    """Looks every now and then. Several cores may: of two the second finds nothing left to do.

    Attributes:
        method: whose events it emits.
        records: asked for when they are needed, for the operator's organization changes.
    """

    engine: AsyncEngine
    resets: Resets
    clock: Clock
    method: Method
    records: Callable[[], Records]

    async def keep_looking(self) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self()
            except Exception:
                log.exception("look_failed")

    async def __call__(self) -> None:
        """Carries out each reset that is due, in a transaction of its own."""
        async with sessions(self.engine)() as db:
            people = await FactorResetRepository(db).people_due(self.clock())
        for user_id in people:
            try:
                await self._carry_out(user_id)
            except Exception:
                # It stays due; the others are not to wait for it.
                log.exception("reset_failed", user_id=str(user_id))

    async def _carry_out(self, user_id: UUID) -> None:
        async with sessions(self.engine).begin() as db:
            call = Call(
                method=self.method,
                metadata={},
                client=Client(),
                request_id=str(new_id()),
                now=self.clock(),
                records=self.records(),
                principal=Principal(SERVICE_KIND),
            )
            # What it asks the workers for is found by their next sweep.
            call.open_db = lambda: db
            await self.resets.carry_out(user_id, call)
            await write_in(db, call.entries)
