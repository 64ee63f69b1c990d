"""Rows that wait for a worker: due at a moment, claimed by one worker, settled by it.

A claim is a row whose next attempt was put off by the time that an attempt may take: a worker
that dies leaves nothing behind, the row is simply due again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Label, RowMapping, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from portico_kit.storage.base import Identified


class Waiting(Identified):
    """A row of such a table."""

    attempt_count: Mapped[int] = mapped_column(default=0)
    # Due from this moment on; None when it was settled for good.
    next_attempt_at: Mapped[datetime | None] = mapped_column(server_default=func.now())


async def claim_due(
    db: AsyncSession,
    table: type[Waiting],
    *columns: InstrumentedAttribute[Any] | Label[Any],
    now: datetime,
    until: datetime,
    limit: int,
) -> Sequence[RowMapping]:
    """Claims the rows that have been due the longest.

    Args:
        columns: what to give of each.
        until: when the claims run out.
        limit: how many at the most.
    """
    due = (
        select(table.id)
        .where(table.next_attempt_at <= now)
        .order_by(table.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    statement = (
        update(table)
        .where(table.id == due.c.id)
        .values(next_attempt_at=until)
        .returning(*columns)
        .execution_options(synchronize_session=False)
    )
    return (await db.execute(statement)).mappings().all()


async def settle(
    db: AsyncSession,
    table: type[Waiting],
    row_id: UUID,
    *,
    until: datetime,
    attempt_count: int,
    **changes: Any,
) -> None:
    """Ends a claim, if it has not run out and passed to another worker.

    Args:
        until: of the claim, which tells it from a later one.
        attempt_count: how many attempts were made before.
        changes: of the row; `next_attempt_at` says when it is due again, None for never.
    """
    await db.execute(
        update(table)
        .where(table.id == row_id, table.next_attempt_at == until)
        .values(attempt_count=attempt_count + 1, **changes)
        .execution_options(synchronize_session=False)
    )
