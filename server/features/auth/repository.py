"""The questions that are asked about sessions, one query each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from portico_kit.storage.reads import keyed_query
from server.features.auth.models import RefreshToken, Session
from server.features.users.facade import session_may_hold, with_account

NEWEST_FIRST = Order((Session.id,))


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A refresh token that was presented, and its session.

    Attributes:
        person_may_hold: whether the person's account lets the session hold.
    """

    token: RefreshToken
    session: Session
    person_may_hold: bool


class SessionRepository:
    """Sessions in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, row: Session | RefreshToken) -> None:
        """Adds a new session or a token of one."""
        self._db.add(row)

    async def find(self, session_id: UUID, user_id: UUID, now: datetime) -> Session | None:
        """A session of a person, if it holds; locked."""
        query = select(Session).where(
            Session.id == session_id, Session.user_id == user_id, _holds(now)
        )
        return await self._db.scalar(query.with_for_update(of=Session))

    async def find_by_refresh_token(self, token_hash: bytes) -> PresentedToken | None:
        """The token and its session, both locked: of two calls at once, one waits and then sees."""
        query = (
            select(RefreshToken, Session, session_may_hold(Session.user_id, Session.created_at))
            .join(Session, Session.id == RefreshToken.session_id)
            .where(RefreshToken.token_hash == token_hash)
            .with_for_update(of=[RefreshToken, Session])
        )
        found = (await self._db.execute(query)).one_or_none()
        return PresentedToken(*found) if found else None

    async def find_by_browser_token(self, token_hash: bytes, now: datetime) -> Session | None:
        """The session of a browser token, if it holds; locked."""
        query = select(Session).where(Session.browser_token_hash == token_hash, _holds(now))
        return await self._db.scalar(query.with_for_update(of=Session))

    async def last_organization(self, user_id: UUID) -> UUID | None:
        """The organization in which the person worked in their newest session."""
        query = select(Session.organization_id).where(Session.user_id == user_id)
        return await self._db.scalar(query.order_by(Session.id.desc()).limit(1))

    async def list(
        self, user_id: UUID, now: datetime, paging: Paging, cursors: Cursors
    ) -> Page[Session]:
        """A page of a person's sessions that hold, newest first."""
        query = select(Session).where(Session.user_id == user_id, _holds(now))
        return await fetch_page(self._db, query, NEWEST_FIRST, paging, cursors)

    async def revoke_all(
        self, user_id: UUID, now: datetime, except_session: UUID | None = None
    ) -> None:
        """Ends a person's sessions, but one if it is given."""
        ended = update(Session).where(Session.user_id == user_id, Session.revoked_at.is_(None))
        if except_session is not None:
            ended = ended.where(Session.id != except_session)
        await self._db.execute(ended.values(revoked_at=now))


def _holds(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """`Session.holds`, and that the person's account lets it."""
    return and_(_lasts(now), session_may_hold(Session.user_id, Session.created_at))


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

# The refresh tokens, by their hashes, that have not expired at the moment `now` and whose
# sessions hold; what is asked before anything is locked.
PRESENTED = keyed_query(
    select(RefreshToken.token_hash, RefreshToken.session_id, RefreshToken.used_at)
    .join(Session, Session.id == RefreshToken.session_id)
    .where(_holds(bindparam("now")), RefreshToken.expires_at > bindparam("now")),
    RefreshToken.token_hash,
)
