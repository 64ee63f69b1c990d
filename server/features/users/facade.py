"""Accounts for other features: what they may know and do, without seeing a row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from portico.users.v1.user_pb2 import User as UserMessage
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.batching import BatchLoader
from portico_kit.ids import new_id
from portico_kit.storage.reads import Reads
from portico_kit.storage.statements import run_in
from server.common.email_addresses import new_email, normal_email
from server.features.users import messages
from server.features.users.errors import EmailTakenError, UserNotFoundError
from server.features.users.models import User, UserProfile
from server.features.users.ports import ReservedAddresses
from server.features.users.repository import (
    SIGN_IN,
    VIEW_BY_EMAIL,
    VIEW_BY_ID,
    UserRepository,
    UserView,
    can_act,
    has_account,
    has_second_factor,
    session_may_hold,
    with_account,
)
from server.features.users.rules import ROLE_PERMISSIONS

__all__ = [
    "Account",
    "Accounts",
    "Contact",
    "account",
    "can_act",
    "find_by_email",
    "find_contacts",
    "has_account",
    "has_second_factor",
    "session_may_hold",
    "with_account",
]


@dataclass(frozen=True, slots=True)
class Contact:
    """How a person is named and reached.

    Attributes:
        active: whether the person may sign in; a suspended one may not.
    """

    id: UUID
    email: str
    display_name: str
    active: bool = True


@dataclass(frozen=True)
class Account:
    """An account as it was when it was read."""

    view: UserView = field(repr=False)

    @property
    def id(self) -> UUID:
        """The person."""
        return self.view.id

    @property
    def email(self) -> str:
        """The address, in its normal form."""
        return self.view.email

    @property
    def display_name(self) -> str:
        """How the person is called."""
        return self.view.display_name

    @property
    def password_hash(self) -> str | None:
        """None if the person has chosen no password yet."""
        return self.view.password_hash

    @property
    def password_by_mail(self) -> bool:
        """Whether the password was set by a link in a mail."""
        return self.view.password_by_mail

    @property
    def has_second_factor(self) -> bool:
        """Whether the person can show more than a first factor."""
        return self.view.has_second_factor

    @property
    def active(self) -> bool:
        """Whether the person may sign in."""
        return self.view.status == "active"

    @property
    def verified(self) -> bool:
        """Whether the person has shown that the address is theirs."""
        return self.verified_at is not None

    @property
    def verified_at(self) -> datetime | None:
        """When they first did."""
        return self.view.email_verified_at

    @property
    def permissions(self) -> frozenset[str]:
        """What the person may do on the whole platform."""
        return ROLE_PERMISSIONS[self.view.role] if self.active else frozenset()

    @property
    def version(self) -> int:
        """Counts changes; the ETag."""
        return self.view.version

    @cached_property
    def message(self) -> UserMessage:
        """The account as the contract shows it."""
        return messages.user(self.view)


class Accounts:
    """Reads and changes accounts for other features.

    What takes no `db` reads outside of the call's transaction, and holds a
    connection for that moment only: a caller may hash a password afterwards
    without keeping one.
    """

    def __init__(self, reads: Reads, reserved: ReservedAddresses) -> None:
        self._reads = reads
        self._reserved = reserved
        self._by_id: BatchLoader[UUID, Account] = BatchLoader(self._fetch)

    async def load(self, user_id: UUID) -> Account | None:
        """The account; those who ask at the same moment share a query."""
        return await self._by_id.load(user_id)

    async def find_by_email(self, email: str) -> Account | None:
        """The account with this address, however it is written."""
        return await find_by_email(self._reads, email)

    async def contacts(
        self, db: AsyncSession, user_ids: Collection[UUID]
    ) -> Mapping[UUID, Contact]:
        """How the people are named and reached, by id; who has no account any more is left out."""
        return await find_contacts(db, user_ids)

    async def create(
        self,
        db: AsyncSession,
        *,
        email: str,
        display_name: str,
        now: datetime,
        role: str = "user",
        password_hash: str | None = None,
        accepted_terms_at: datetime | None = None,
    ) -> Account:
        """Creates an account.

        Raises:
            InvalidRequestError: if no mail can be sent to the address.
            IntegrityError: if the address has one; the constraint becomes EMAIL_TAKEN.
            EmailTakenError: if another account can get the address back.
        """
        user = User(
            id=new_id(),
            email=new_email(email),
            password_hash=password_hash,
            role=role,
            accepted_terms_at=accepted_terms_at,
            profile=UserProfile(display_name=display_name),
        )
        UserRepository(db).add(user)
        await self._take_address(db, user, now)
        return _account(user)

    async def lock(self, db: AsyncSession, user_id: UUID) -> Account | None:
        """The account as it is now; no other call changes it before this one ends."""
        user = await UserRepository(db).find_to_change(user_id)
        return _account(user) if user else None

    async def lock_administrators(self, db: AsyncSession) -> None:
        """Nobody becomes or stops being an administrator before the transaction ends.

        It comes before any account is locked.
        """
        await UserRepository(db).lock_administrators()

    async def may_write_users(self, db: AsyncSession, user_id: UUID) -> bool:
        """Whether a person is an administrator who can act."""
        user = await UserRepository(db).find(user_id)
        return user is not None and "users:write" in _account(user).permissions

    async def sign_in(
        self, db: AsyncSession, account: Account, now: datetime, new_hash: str | None
    ) -> Account | None:
        """Notes a sign-in; see `note_second_factor` for people who have one.

        Args:
            account: as it was when its password was checked.
            new_hash: replaces the hash of the same password, if it is not None.

        Returns:
            The account as it is now, or None if its password has changed since, or it was
            suspended: its sessions are being ended, and this one would come after that.
        """
        found = await run_in(
            db,
            SIGN_IN,
            user_id=account.id,
            checked_hash=account.password_hash,
            kept_hash=new_hash or account.password_hash,
            now=now,
        )
        return Account(UserView(*found[0])) if found else None

    async def note_second_factor(self, db: AsyncSession, user_id: UUID, now: datetime) -> Account:
        """Notes the sign-in of a locked account, which a second factor has completed."""
        user = await _find_to_change(db, user_id)
        user.last_login_at = now
        await db.flush()
        return _account(user)

    async def set_second_factor(self, db: AsyncSession, user_id: UUID, *, present: bool) -> None:
        """Notes whether a locked account has a second factor."""
        user = await _find_to_change(db, user_id)
        user.has_second_factor = present
        await db.flush()

    async def verify(self, db: AsyncSession, user_id: UUID, now: datetime) -> Account | None:
        """Notes that the person has shown that the address is theirs."""
        user = await UserRepository(db).find_to_change(user_id)
        if user is None:
            return None
        user.verify(now)
        await db.flush()
        return _account(user)

    async def reset_password(
        self, db: AsyncSession, user_id: UUID, password_hash: str, now: datetime
    ) -> Account | None:
        """Sets a password for somebody who has read the mail we sent, which shows the address."""
        user = await UserRepository(db).find_to_change(user_id)
        if user is None:
            return None
        user.choose_password(password_hash, now, by_mail=True)
        user.verify(now)
        user.sessions_valid_after = now
        await db.flush()
        return _account(user)

    async def claim(
        self, db: AsyncSession, user_id: UUID, display_name: str, now: datetime
    ) -> Account:
        """Gives a locked account to whose address it is, without what its maker set.

        Args:
            display_name: how the person is called, by who has shown the address.

        Raises:
            UserNotFoundError: if there is no such account.
        """
        user = await _find_to_change(db, user_id)
        user.claim(now)
        user.display_name = display_name
        await db.flush()
        return _account(user)

    async def change_email(
        self, db: AsyncSession, user_id: UUID, email: str, now: datetime
    ) -> Account:
        """Gives a locked account another address, which somebody has shown to be theirs.

        Args:
            email: in its normal form.

        Raises:
            UserNotFoundError: if there is no such account.
            IntegrityError: if the address has one; the constraint becomes EMAIL_TAKEN.
            EmailTakenError: if another account can get the address back.
        """
        user = await _find_to_change(db, user_id)
        user.change_email(email, now)
        await self._take_address(db, user, now)
        return _account(user)

    async def restore_email(
        self, db: AsyncSession, user_id: UUID, email: str, now: datetime
    ) -> Account:
        """Gives a locked account back to who has its former address, and to nobody else.

        Raises:
            UserNotFoundError: if there is no such account.
        """
        user = await _find_to_change(db, user_id)
        user.restore_email(email, now)
        await db.flush()
        return _account(user)

    async def _take_address(self, db: AsyncSession, user: User, now: datetime) -> None:
        """Writes a new address of an account, unless somebody can take it back.

        In this order, for the unique index is what two calls wait for: who changes to
        another address has freed this one, and made it reserved, when the write goes through.
        """
        await db.flush()
        if await self._reserved.is_reserved(db, user.email, user.id, now):
            raise EmailTakenError

    async def _fetch(self, user_ids: Sequence[UUID]) -> Mapping[UUID, Account]:
        found = await self._reads.fetch(VIEW_BY_ID, user_ids)
        return {row.id: account(row) for row in found}


async def find_by_email(reads: Reads, email: str) -> Account | None:
    """The account with this address, however it is written."""
    found = await reads.fetch(VIEW_BY_EMAIL, [normal_email(email)])
    return account(found[0]) if found else None


async def find_contacts(db: AsyncSession, user_ids: Collection[UUID]) -> Mapping[UUID, Contact]:
    """How the people are named and reached, by id; who has no account any more is left out."""
    rows = await UserRepository(db).contacts(user_ids)
    return {row[0]: Contact(*row) for row in rows}


def account(row: Sequence[Any]) -> Account:
    """The account whose columns a query has, see `with_account`."""
    return Account(UserView(*row))


async def _find_to_change(db: AsyncSession, user_id: UUID) -> User:
    user = await UserRepository(db).find_to_change(user_id)
    if user is None:
        raise UserNotFoundError
    return user


def _account(user: User) -> Account:
    return Account(UserView.of(user))
