"""The questions that are asked about sessions, one query each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    SQLColumnExpression,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from portico_kit.storage.reads import keyed_query
from portico_kit.storage.statements import compiled, run_in
from server.features.auth.models import Challenge, RefreshToken, Session, SessionEnd
from server.features.organizations.facade import asked_from, member_tier, working_organization
from server.features.users.facade import session_may_hold, with_account

NEWEST_FIRST = Order((Session.id,))


@dataclass(frozen=True, slots=True)
class LockedSession:
    """A session that no other call changes before this one ends.

    Attributes:
        person_may_hold: whether the person's account lets the session hold.
    """

    session: Session
    person_may_hold: bool


@dataclass(frozen=True, slots=True)
class AddedSession:
    """What a new session has found of its person.

    Attributes:
        tier: how much they may use of its organization; None if they are in none.
        asked_from: when the first of their organizations asks for a factor, of anybody;
            None if none does.
    """

    tier: str | None
    asked_from: datetime | None


class SessionRepository:
    """Sessions in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    async def add(self, session: Session) -> AddedSession:
        """Adds a new session, in the organization where the person worked last."""
        values = {name: getattr(session, name) for name in _BEGUN}
        shown = Jsonb(session.authentications)
        [row] = await run_in(self._db, ADD, **values, authentications=shown)
        session.organization_id = row.organization_id
        return AddedSession(row.tier, row.asked_from)

    async def find(self, session_id: UUID, user_id: UUID, now: datetime) -> Session | None:
        """A session of a person, if it holds; locked."""
        query = select(Session).where(
            Session.id == session_id, Session.user_id == user_id, _holds(now)
        )
        return await self._db.scalar(query.with_for_update(of=Session))

    async def find_lasting(self, session_id: UUID, user_id: UUID, now: datetime) -> Session | None:
        """A session of a person that has neither ended nor expired; locked.

        Also one that their account does not let hold: it would go on when somebody who is
        suspended is reinstated.
        """
        query = select(Session).where(
            Session.id == session_id, Session.user_id == user_id, _lasts(now)
        )
        return await self._db.scalar(query.with_for_update(of=Session))

    async def lock(self, session_id: UUID) -> LockedSession | None:
        """The session, whether it holds or not."""
        query = (
            select(Session, session_may_hold(Session.user_id, Session.created_at))
            .where(Session.id == session_id)
            .with_for_update(of=Session)
        )
        found = (await self._db.execute(query)).one_or_none()
        return LockedSession(*found) if found else None

    async def join_chain(self, token_hash: bytes, number: int, now: datetime) -> None:
        """Gives a token of before 0.2 its place in the chain, if it has none yet."""
        apart = and_(RefreshToken.token_hash == token_hash, RefreshToken.chain_number.is_(None))
        placed = update(RefreshToken).where(apart).values(chain_number=number, used_at=now)
        await self._db.execute(placed)

    async def find_by_browser_token(self, token_hash: bytes, now: datetime) -> Session | None:
        """The session of a browser token, if it holds; locked."""
        query = select(Session).where(Session.browser_token_hash == token_hash, _holds(now))
        return await self._db.scalar(query.with_for_update(of=Session))

    async def lasting(self, user_id: UUID, now: datetime) -> Sequence[Session]:
        """A person's sessions that hold; locked."""
        query = select(Session).where(Session.user_id == user_id, _holds(now))
        return (await self._db.scalars(query.with_for_update(of=Session))).all()

    async def list(
        self, user_id: UUID, now: datetime, paging: Paging, cursors: Cursors
    ) -> Page[Session]:
        """A page of a person's sessions that hold, newest first."""
        query = select(Session).where(Session.user_id == user_id, _holds(now))
        return await fetch_page(self._db, query, NEWEST_FIRST, paging, cursors)

    async def revoke_all(
        self, user_id: UUID, now: datetime, except_session: UUID | None = None
    ) -> Sequence[UUID]:
        """Ends a person's sessions, but one if it is given.

        Returns:
            Those that this has ended; neither one that somebody else had nor one that had expired.
        """
        ended = update(Session).where(Session.user_id == user_id, Session.revoked_at.is_(None))
        if except_session is not None:
            ended = ended.where(Session.id != except_session)
        # By another clock one that has just expired may not have: it is ended all the same.
        found = await self._db.execute(
            ended.values(revoked_at=now).returning(Session.id, Session.expires_at)
        )
        return [row.id for row in found if now < row.expires_at]


class ChallengeRepository:
    """Challenges in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, challenge: Challenge) -> None:
        """Adds a new challenge."""
        self._db.add(challenge)

    async def find(self, token_hash: bytes, now: datetime) -> Challenge | None:
        """A challenge that has not expired; locked."""
        query = select(Challenge).where(
            Challenge.token_hash == token_hash, Challenge.expires_at > now
        )
        return await self._db.scalar(query.with_for_update())

    async def delete(self, challenge: Challenge) -> None:
        """Ends a challenge."""
        await self._db.delete(challenge)

    async def delete_all(self, user_id: UUID) -> None:
        """Ends the challenges of a person."""
        await self._db.execute(delete(Challenge).where(Challenge.user_id == user_id))


def _holds(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """`Session.holds`, and that the person's account lets it."""
    return and_(_lasts(now), session_may_hold(Session.user_id, Session.created_at))


def session_lasts(
    session_id: SQLColumnExpression[UUID], now: datetime | BindParameter[datetime]
) -> ColumnElement[bool]:
    """The condition that a row's session has neither ended nor expired, for another's query.

    Whether the person's account lets it hold is another question, see `session_may_hold`.
    """
    return exists().where(Session.id == session_id, _lasts(now))


def shared_session(
    session_id: BindParameter[UUID],
) -> Select[UUID, UUID, datetime | None]:
    """A session's id, its person and when it was ended, for an insert of another feature.

    The session is locked against its end meanwhile: who inserts a row either does so before
    the end is noted, or learns of it here.
    """
    query = select(Session.id, Session.user_id, Session.revoked_at).where(Session.id == session_id)
    return query.with_for_update(read=True)


async def take_session_ends(db: AsyncSession, limit: int) -> Sequence[UUID]:
    """Takes the notes of sessions that have ended, in the caller's transaction.

    Args:
        limit: how many at the most.
    """
    chosen = select(SessionEnd.id).limit(limit).with_for_update(skip_locked=True)
    taken = delete(SessionEnd).where(SessionEnd.id.in_(chosen)).returning(SessionEnd.session_id)
    return list(await db.scalars(taken.execution_options(synchronize_session=False)))


def _lasts(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return and_(Session.revoked_at.is_(None), Session.expires_at > now)


# Those of the sessions that hold at the moment `now`, each with its person's account behind it;
# asked at each call of a person.
HOLDING = keyed_query(
    with_account(
        select(Session.id.label("session_id")).where(_lasts(bindparam("now"))),
        Session.user_id,
        Session.created_at,
    ),
    Session.id,
)

# What was shown in sessions that last, by their ids.
SHOWN = keyed_query(
    select(Session.id, Session.authentications, Session.created_at).where(_lasts(bindparam("now"))),
    Session.id,
)

# Whose challenges are that have not expired, by the hashes of their tokens.
CHALLENGED = keyed_query(
    select(Challenge.token_hash, Challenge.user_id).where(Challenge.expires_at > bindparam("now")),
    Challenge.token_hash,
)

# The devices of sessions, by the ids of those.
DEVICE = keyed_query(select(Session.id, Session.device_hash), Session.id)

# What the refresh tokens of the sessions that hold at the moment `now` are held against,
# before anything is locked.
REFRESHABLE = keyed_query(
    select(Session.id, Session.refresh_seed, Session.refresh_counter).where(
        _holds(bindparam("now"))
    ),
    Session.id,
)

# Whose refresh tokens are, whatever has become of the sessions.
SEEDS = keyed_query(select(Session.id, Session.refresh_seed, Session.user_id), Session.id)

# Whose tokens of before 0.2 are, by their hashes; the same.
FORMER_OWNERS = keyed_query(
    select(RefreshToken.token_hash, RefreshToken.session_id, Session.user_id).join(
        Session, Session.id == RefreshToken.session_id
    ),
    RefreshToken.token_hash,
)

# The tokens of before 0.2, by their hashes, that have not expired at the moment `now` and
# whose sessions hold.
FORMER_TOKENS = keyed_query(
    select(
        RefreshToken.token_hash,
        RefreshToken.session_id,
        RefreshToken.used_at,
        RefreshToken.chain_number,
        Session.refresh_counter,
    )
    .join(Session, Session.id == RefreshToken.session_id)
    .where(_holds(bindparam("now")), RefreshToken.expires_at > bindparam("now")),
    RefreshToken.token_hash,
)

# What a new session has of its own.
_BEGUN = (
    "id",
    "user_id",
    "user_agent",
    "ip_address",
    "created_at",
    "last_used_at",
    "expires_at",
    "absolute_expires_at",
    "refresh_counter",
    "refresh_seed",
    "device_hash",
)

# The organization in which the person `user_id` worked in their newest session.
_LAST_ORGANIZATION = (
    select(Session.organization_id)
    .where(Session.user_id == bindparam("user_id"))
    .order_by(Session.id.desc())
    .limit(1)
    .scalar_subquery()
)

# Adds a session, with the values of `_BEGUN` by their names.
_added = (
    insert(Session)
    .values(
        {name: bindparam(name) for name in (*_BEGUN, "authentications")}
        | {"organization_id": working_organization(bindparam("user_id"), _LAST_ORGANIZATION)}
    )
    .returning(Session.user_id, Session.organization_id)
    .cte("added")
)
ADD = compiled(
    select(
        _added.c.organization_id,
        member_tier(_added.c.organization_id, _added.c.user_id).label("tier"),
        asked_from(_added.c.user_id).label("asked_from"),
    )
)

# Uses the refresh token with the number `number` of a session that holds, unless the token's
# successor has been used; gives what the new tokens are made of, or no row. `successor` is one
# more, and `idle_end` the moment at which the session is over if nobody uses it.
#
# Of two at once the second waits for the row, and finds what the first has made of it. It may
# run twice: the second time it finds a token whose successor has not been used.
REFRESH = compiled(
    update(Session)
    .where(
        Session.id == bindparam("session_id"),
        Session.refresh_counter <= bindparam("successor"),
        _holds(bindparam("now")),
    )
    .values(
        refresh_counter=bindparam("successor"),
        last_used_at=bindparam("now"),
        expires_at=func.least(
            bindparam("idle_end", type_=Session.expires_at.type), Session.absolute_expires_at
        ),
    )
    .returning(
        Session.id.label("session_id"),
        Session.user_id,
        Session.organization_id,
        Session.refresh_counter,
        Session.refresh_seed,
        Session.created_at,
        Session.authentications,
        member_tier(Session.organization_id, Session.user_id).label("tier"),
    )
)
