"""The questions that are asked about accounts, one query each. Deleted ones do not exist here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, contains_eager

from server.kit.paging import Cursors, Order, Page, Paging, fetch_page
from server.users.models import User, UserProfile

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

    async def find_by_email(self, email: str) -> User | None:
        """The account with this address, which is in its normal form."""
        return await self._db.scalar(_with_profile().where(User.email == email))

    async def find_to_change(self, user_id: UUID) -> User | None:
        """The account, locked: whoever else wants to change it waits for this transaction."""
        query = _with_profile().where(User.id == user_id).with_for_update(of=User)
        return await self._db.scalar(query.execution_options(populate_existing=True))

    async def find_many(self, user_ids: Collection[UUID]) -> Mapping[UUID, User]:
        """Those of the accounts that exist, by id."""
        found = await self._db.scalars(_with_profile().where(User.id.in_(user_ids)))
        return {user.id: user for user in found}

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


def session_may_hold(
    user_id: SQLColumnExpression[UUID], began: SQLColumnExpression[datetime]
) -> ColumnElement[bool]:
    """The condition that the account behind a session lets it hold, for a query about sessions."""
    return exists().where(
        User.id == user_id,
        User.status == "active",
        User.deleted_at.is_(None),
        or_(User.sessions_valid_after.is_(None), User.sessions_valid_after <= began),
    )


def _with_profile() -> Select[User]:
    query = select(User).join(User.profile).options(contains_eager(User.profile))
    return query.where(User.deleted_at.is_(None))
