"""The questions that are asked about accounts, one query each. Deleted ones do not exist here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    SQLColumnExpression,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, contains_eager

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from portico_kit.storage.reads import keyed_query
from portico_kit.storage.statements import compiled
from server.features.users.models import User, UserProfile

# By their names in the contract.
SORTS: Mapping[str, InstrumentedAttribute[Any]] = {
    "createdAt": User.created_at,
    "email": User.email,
    "displayName": UserProfile.display_name,
}


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which accounts a list shows; what is "" does not matter.

    Attributes:
        search: part of a name or an address.
    """

    search: str = ""
    status: str = ""
    role: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL."""
        found: list[ColumnElement[bool]] = []
        if self.search:
            in_name = UserProfile.display_name.icontains(self.search, autoescape=True)
            in_address = User.email.icontains(self.search, autoescape=True)
            found.append(or_(in_name, in_address))
        if self.status:
            found.append(User.status == self.status)
        if self.role:
            found.append(User.role == self.role)
        return found


@dataclass(frozen=True, slots=True)
class UserView:
    """An account with its profile, to read only; it costs a fraction of a row that can change."""

    id: UUID
    email: str
    password_hash: str | None
    email_verified_at: datetime | None
    status: str
    role: str
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    has_second_factor: bool
    password_by_mail: bool
    display_name: str
    avatar_url: str
    bio: str
    preferences: dict[str, Any]

    @classmethod
    def of(cls, user: User) -> UserView:
        """A row as it is now."""
        return cls(*(getattr(user, each.name) for each in fields(cls)))


class UserRepository:
    """Accounts with their profiles, in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, user: User) -> None:
        """Adds a new account."""
        self._db.add(user)

    async def find(self, user_id: UUID) -> User | None:
        """The account."""
        return await self._db.scalar(_with_profile().where(User.id == user_id))

    async def find_to_change(self, user_id: UUID) -> User | None:
        """The account, locked: whoever else wants to change it waits for this transaction."""
        query = _with_profile().where(User.id == user_id).with_for_update(of=User)
        return await self._db.scalar(query.execution_options(populate_existing=True))

    async def list(
        self, which: UserFilter, order: Order, paging: Paging, cursors: Cursors
    ) -> Page[User]:
        """A page of accounts."""
        query = _with_profile().where(*which.conditions())
        return await fetch_page(self._db, query, order, paging, cursors)

    async def lock_administrators(self) -> None:
        """Makes changes to administrators wait for each other.

        Two of them that take the part from one another at the same moment would
        otherwise each see the other one remain.
        """
        await self._db.execute(
            select(func.pg_advisory_xact_lock(func.hashtext("users.administrators")))
        )

    async def contacts(self, user_ids: Collection[UUID]) -> Sequence[Row[UUID, str, str, bool]]:
        """Id, address, name and whether they may act, of those who have an account."""
        active = User.status == "active"
        query = (
            select(User.id, User.email, UserProfile.display_name, active)
            .join(UserProfile, UserProfile.user_id == User.id)
            .where(User.id.in_(user_ids), User.deleted_at.is_(None))
        )
        return (await self._db.execute(query)).all()

    async def has_administrator_besides(self, user_id: UUID) -> bool:
        """Whether somebody else is an administrator who can act."""
        others = exists().where(
            User.role == "administrator",
            User.status == "active",
            User.deleted_at.is_(None),
            User.id != user_id,
        )
        return bool(await self._db.scalar(select(others)))


def order(sort_by: str, sort_order: str) -> Order:
    """The order that a request names; the newest first if it names none."""
    return Order((SORTS[sort_by or "createdAt"], User.id), descending=sort_order != "asc")


def can_act(user_id: SQLColumnExpression[UUID]) -> ColumnElement[bool]:
    """The condition that a person's account is neither suspended nor deleted, for a query."""
    return exists().where(User.id == user_id, User.status == "active", User.deleted_at.is_(None))


def has_second_factor(user_id: SQLColumnExpression[UUID]) -> ColumnElement[bool]:
    """The condition that a person can show more than a first factor, for a query."""
    return exists().where(User.id == user_id, User.has_second_factor)


def has_account(
    user_id: SQLColumnExpression[UUID], email: SQLColumnExpression[str | None] | None = None
) -> ColumnElement[bool]:
    """The condition that a person's account is not deleted, for a query.

    Args:
        email: the address that it has to have; by default any.
    """
    query = exists().where(User.id == user_id, User.deleted_at.is_(None))
    return query if email is None else query.where(User.email == email)


def session_may_hold(
    user_id: SQLColumnExpression[UUID], began: SQLColumnExpression[datetime]
) -> ColumnElement[bool]:
    """The condition that the account behind a session lets it hold, for a query about sessions."""
    return exists().where(User.id == user_id, _lets_hold(began))


def with_account(
    query: Select[*tuple[Any, ...]],
    user_id: SQLColumnExpression[UUID],
    began: SQLColumnExpression[datetime],
) -> Select[*tuple[Any, ...]]:
    """Puts the person's account behind each session's columns, in the order of UserView's fields.

    Leaves out the sessions that the account does not let hold.
    """
    return (
        query.add_columns(*_VIEW_COLUMNS)
        .join(User, User.id == user_id)
        .join(UserProfile, UserProfile.user_id == User.id)
        .where(_lets_hold(began))
    )


def _lets_hold(began: SQLColumnExpression[datetime]) -> ColumnElement[bool]:
    return and_(
        User.status == "active",
        User.deleted_at.is_(None),
        or_(User.sessions_valid_after.is_(None), User.sessions_valid_after <= began),
    )


def _with_profile() -> Select[User]:
    query = select(User).join(User.profile).options(contains_eager(User.profile))
    return query.where(User.deleted_at.is_(None))


# In the order of UserView's fields.
_VIEW_COLUMNS = (
    User.id,
    User.email,
    User.password_hash,
    User.email_verified_at,
    User.status,
    User.role,
    User.last_login_at,
    User.created_at,
    User.updated_at,
    User.version,
    User.has_second_factor,
    User.password_by_mail,
    UserProfile.display_name,
    UserProfile.avatar_url,
    UserProfile.bio,
    UserProfile.preferences,
)
_VIEW = (
    select(*_VIEW_COLUMNS)
    .join(UserProfile, UserProfile.user_id == User.id)
    .where(User.deleted_at.is_(None))
)
VIEW_BY_ID = keyed_query(_VIEW, User.id)
# The address is in its normal form.
VIEW_BY_EMAIL = keyed_query(_VIEW, User.email)

# Notes a sign-in of the person `user_id`; gives the account as it is now, locked, or no row if
# it is not active or has another password hash than `checked_hash`. `kept_hash` replaces that.
SIGN_IN = compiled(
    update(User)
    .where(
        User.id == bindparam("user_id"),
        # None of people who sign in by other means alone.
        User.password_hash.is_not_distinct_from(bindparam("checked_hash")),
        User.status == "active",
        User.deleted_at.is_(None),
        UserProfile.user_id == User.id,
    )
    .values(
        # Who has a second factor is not in yet.
        last_login_at=case(
            (User.has_second_factor, User.last_login_at),
            else_=bindparam("now", type_=User.last_login_at.type),
        ),
        password_hash=bindparam("kept_hash"),
        version=User.version + 1,
    )
    .returning(*_VIEW_COLUMNS)
)
