"""The questions that are asked about logouts, one query each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from portico_kit.storage import claims
from portico_kit.storage.statements import compiled
from server.features.auth.facade import shared_session
from server.features.oauth.models import StoredLogout

NEWEST_FIRST = Order((StoredLogout.id,))

_session = shared_session(bindparam("session_id"))
_of_session = _session.with_only_columns(
    bindparam("id", type_=StoredLogout.id.type),
    _session.selected_columns.id,
    bindparam("application_id", type_=StoredLogout.application_id.type),
    _session.selected_columns.user_id,
    bindparam("now", type_=StoredLogout.created_at.type),
    # One that has ended meanwhile is due at once.
    _session.selected_columns.revoked_at,
    _session.selected_columns.revoked_at.label("due"),
    maintain_column_froms=True,
)
# Notes that an application has signed a session's person in; once, however often it does.
# It may run twice.
REGISTER = compiled(
    insert(StoredLogout)
    .from_select(
        [
            "id",
            "session_id",
            "application_id",
            "user_id",
            "created_at",
            "ended_at",
            "next_attempt_at",
        ],
        _of_session,
        include_defaults=False,
    )
    .on_conflict_do_nothing()
    .returning(StoredLogout.id)
)

# A loose index scan: one probe for each application that is to be told, however often it is.
_DUE_APPLICATIONS = text("""
    with recursive queues(application_id) as (
        (select application_id from oauth_logouts where next_attempt_at is not null
         order by application_id limit 1)
        union all
        select (select application_id from oauth_logouts
                where next_attempt_at is not null and application_id > queues.application_id
                order by application_id limit 1)
        from queues where queues.application_id is not null
    )
    select application_id from queues
    where application_id is not null and exists (
        select from oauth_logouts
        where oauth_logouts.application_id = queues.application_id and next_attempt_at <= :now
    )
""")

# Of each application those that have been due the longest.
_CLAIM = text("""
    with due as (
        select chosen.id
        from unnest(cast(:applications as uuid[]), cast(:shares as integer[]))
             as asked(application_id, share)
        cross join lateral (
            select id from oauth_logouts
            where oauth_logouts.application_id = asked.application_id and next_attempt_at <= :now
            order by next_attempt_at
            limit asked.share
            for update skip locked
        ) chosen
    )
    update oauth_logouts set next_attempt_at = :until
    from due
    where oauth_logouts.id = due.id
    returning oauth_logouts.id as logout_id, session_id, application_id, user_id, attempt_count
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """A call that one worker alone may make for a while.

    Attributes:
        until: when it is due again; also what tells this claim from a later one.
        attempt_count: how many attempts were made before.
    """

    logout_id: UUID
    until: datetime
    session_id: UUID
    application_id: UUID
    user_id: UUID
    attempt_count: int


async def end_sessions(db: AsyncSession, session_ids: Sequence[UUID], now: datetime) -> None:
    """Has the calls for sessions be due, if they have not been before."""
    await db.execute(
        update(StoredLogout)
        .where(StoredLogout.session_id.in_(session_ids), StoredLogout.ended_at.is_(None))
        .values(ended_at=now, next_attempt_at=now)
        .execution_options(synchronize_session=False)
    )


async def due_applications(db: AsyncSession, now: datetime) -> Sequence[UUID]:
    """The applications that are to be told of something now."""
    return (await db.scalars(_DUE_APPLICATIONS, {"now": now})).all()


async def claim_due(
    db: AsyncSession, turns: Mapping[UUID, int], *, now: datetime, until: datetime
) -> list[Claim]:
    """Claims the calls to each application that have been due the longest.

    Args:
        turns: how many at the most, by application.
        until: when the claims run out.
    """
    asked = {"applications": list(turns), "shares": list(turns.values())}
    rows = await db.execute(_CLAIM, {**asked, "now": now, "until": until})
    return [Claim(until=until, **row) for row in rows.mappings()]


async def forget(db: AsyncSession, claim: Claim) -> None:
    """Ends a claim of which there is nothing to say, if it has not run out."""
    await db.execute(
        delete(StoredLogout).where(
            StoredLogout.id == claim.logout_id, StoredLogout.next_attempt_at == claim.until
        )
    )


async def settle(db: AsyncSession, claim: Claim, changes: Mapping[str, Any]) -> None:
    """Ends a claim, if it has not run out."""
    await claims.settle(
        db,
        StoredLogout,
        claim.logout_id,
        until=claim.until,
        attempt_count=claim.attempt_count,
        **changes,
    )


class LogoutRepository:
    """Logouts in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    async def applications_of(self, session_id: UUID) -> Sequence[UUID]:
        """The applications that learn of the end of a session, those of late first."""
        query = select(StoredLogout.application_id).where(
            StoredLogout.session_id == session_id, StoredLogout.ended_at.is_(None)
        )
        return (await self._db.scalars(query.order_by(StoredLogout.id.desc()))).all()

    async def list(
        self, application_id: UUID, paging: Paging, cursors: Cursors
    ) -> Page[StoredLogout]:
        """A page of the calls to an application whose sessions have ended, newest first."""
        query = select(StoredLogout).where(
            StoredLogout.application_id == application_id, StoredLogout.ended_at.is_not(None)
        )
        return await fetch_page(self._db, query, NEWEST_FIRST, paging, cursors)
