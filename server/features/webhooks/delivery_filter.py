"""Which deliveries a list shows. What no index answers is asked of so many rows a page at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from portico_kit.ids import earliest_id
from portico_kit.paging import Cursors, Page, Paging
from server.features.webhooks.models import Attempt, Delivery

# Deliveries that are examined for one page. An index for each filter would cost every
# delivery, and nearly none is ever asked for by its type or response.
EXAMINED = 5_000
NO_RESPONSE = "none"
# No id is of a time before.
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """What a caller asks for; "" and None ask for nothing.

    Attributes:
        since: the earliest time of creation.
        until: the time before which they were created.
        response_status: of the latest attempt: "503", "5xx", or NO_RESPONSE.
    """

    status: str = ""
    event_type: str = ""
    since: datetime | None = None
    until: datetime | None = None
    response_status: str = ""

    def indexed(self) -> Sequence[ColumnElement[bool]]:
        """What an index answers: ids begin with the time that they were made at."""
        conditions: list[ColumnElement[bool]] = []
        if self.status:
            conditions.append(Delivery.status == self.status)
        if self.since is not None:
            conditions.append(Delivery.id >= earliest_id(max(self.since, EPOCH)))
        if self.until is not None:
            conditions.append(Delivery.id < earliest_id(max(self.until, EPOCH)))
        return conditions

    @property
    def examines(self) -> bool:
        """Whether there is more than an index answers."""
        return bool(self.event_type or self.response_status)

    def examined(self, rows: type[Delivery]) -> Sequence[ColumnElement[bool]]:
        """What each row has to be asked."""
        conditions: list[ColumnElement[bool]] = []
        if self.event_type:
            conditions.append(rows.event_type == self.event_type)
        if self.response_status:
            conditions.append(_responded(rows, self.response_status))
        return conditions


def _responded(rows: type[Delivery], status: str) -> ColumnElement[bool]:
    """Whether the latest attempt had a response of a status or a class.

    Asked of each row by the primary key of attempts: as a join, it could become a scan of
    the attempts of everybody.
    """
    latest = (
        select(func.coalesce(Attempt.response_status, 0))
        .where(Attempt.delivery_id == rows.id, Attempt.number == rows.attempt_count)
        .scalar_subquery()
    )
    if status == NO_RESPONSE:
        return latest == 0
    if status.endswith("xx"):
        lowest = int(status[0]) * 100
        return latest.between(lowest, lowest + 99)
    return latest == int(status)


async def fetch_examined(
    db: AsyncSession,
    query: Select[Delivery],
    asked: DeliveryFilter,
    paging: Paging,
    cursors: Cursors,
) -> Page[Delivery]:
    """A page of what passes a filter, newest first.

    It ends after so many rows as may be examined; the next one begins there.

    Args:
        query: what an index answers.
    """
    if paging.after is not None:
        query = query.where(Delivery.id < paging.after[0])
    window = query.order_by(Delivery.id.desc()).limit(EXAMINED)
    examined = aliased(Delivery, window.subquery())
    found = await db.scalars(
        select(examined)
        .where(*asked.examined(examined))
        .order_by(examined.id.desc())
        .limit(paging.limit + 1)
    )
    rows = found.all()
    if len(rows) > paging.limit:
        rows = rows[: paging.limit]
        return Page(rows, cursors.encode([str(rows[-1].id)], paging.binding))
    last = await db.scalar(window.with_only_columns(Delivery.id).offset(EXAMINED - 1).limit(1))
    return Page(rows, "" if last is None else cursors.encode([str(last)], paging.binding))
