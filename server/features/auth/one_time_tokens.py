"""Tokens that go out by mail: good once, for a time, and stored hashed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.features.auth.errors import OneTimeTokenInvalidError
from server.features.auth.models import OneTimeToken
from server.features.auth.ports import PendingEmailChanges
from server.features.users.facade import has_account

Kind = Literal["verify_email", "reset_password"]

LIFETIMES: dict[Kind, timedelta] = {
    "verify_email": timedelta(hours=24),
    "reset_password": timedelta(hours=1),
}
PURPOSE = "one-time-token"


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Whose token it is.

    Attributes:
        email: where it was mailed to; None if a process of release 0.1 issued it.
        used: whether it was used, or used up.
    """

    user_id: UUID
    email: str | None
    used: bool


class OneTimeTokens:
    """Issues tokens and uses them up."""

    def __init__(
        self, engine: AsyncEngine, secrets: Secrets, email_changes: PendingEmailChanges
    ) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._secrets = secrets
        self._email_changes = email_changes

    async def issue(
        self, db: AsyncSession, user_id: UUID, kind: Kind, now: datetime, email: str
    ) -> str:
        """A new token; only a keyed hash of it stays.

        Args:
            email: where it is mailed to, in its normal form. Once the person has
                another address it is of no use, also if it was issued at that moment.
        """
        token = new_token()
        row = OneTimeToken(
            id=new_id(),
            user_id=user_id,
            kind=kind,
            email=email,
            token_hash=self._hash(token),
            created_at=now,
            expires_at=now + LIFETIMES[kind],
        )
        db.add(row)
        await db.flush()
        return token

    async def owner(self, kind: Kind, token: str, now: datetime) -> UUID:
        """Whose token it is. It stays good, and the call's transaction is not begun.

        Raises:
            OneTimeTokenInvalidError: if it is not good.
        """
        owner = await self.issued_to(kind, token, now)
        if owner.used:
            raise OneTimeTokenInvalidError
        return owner.user_id

    async def issued_to(self, kind: Kind, token: str, now: datetime) -> TokenOwner:
        """Whose token it is, be it used or not; as `owner`.

        Raises:
            OneTimeTokenInvalidError: if it has expired, or the person has another address now.
        """
        used = OneTimeToken.used_at.is_not(None)
        query = select(OneTimeToken.user_id, OneTimeToken.email, used).where(
            self._timely(kind, token, now)
        )
        async with self._engine.connect() as connection:
            found = (await connection.execute(query)).one_or_none()
        if found is None:
            raise OneTimeTokenInvalidError
        return TokenOwner(*found)

    async def use(self, db: AsyncSession, kind: Kind, token: str, now: datetime) -> UUID:
        """Uses a token up and says whose it is. One statement: of two calls at once, one succeeds.

        Raises:
            OneTimeTokenInvalidError: if it is not good.
        """
        used = update(OneTimeToken).where(self._good(kind, token, now)).values(used_at=now)
        user_id: UUID | None = await db.scalar(used.returning(OneTimeToken.user_id))
        if user_id is None:
            raise OneTimeTokenInvalidError
        return user_id

    async def use_all(self, db: AsyncSession, user_id: UUID, now: datetime) -> None:
        """Uses up everything that a person was sent: what they sign in with has changed.

        A change of their address that is pending ends with it.

        The person's account has to be locked. A link that is used at the same
        moment is then good before the change or not at all.
        """
        unused = and_(OneTimeToken.user_id == user_id, OneTimeToken.used_at.is_(None))
        await db.execute(update(OneTimeToken).where(unused).values(used_at=now))
        await self._email_changes.end_pending(db, user_id, now)

    async def issued_since(
        self, db: AsyncSession, user_id: UUID, kind: Kind, since: datetime
    ) -> bool:
        """Whether a person was sent one lately."""
        recent = exists().where(
            OneTimeToken.user_id == user_id,
            OneTimeToken.kind == kind,
            OneTimeToken.created_at > since,
        )
        return bool(await db.scalar(select(recent)))

    def _good(self, kind: Kind, token: str, now: datetime) -> ColumnElement[bool]:
        return and_(self._timely(kind, token, now), OneTimeToken.used_at.is_(None))

    def _timely(self, kind: Kind, token: str, now: datetime) -> ColumnElement[bool]:
        return and_(
            OneTimeToken.token_hash == self._hash(token),
            OneTimeToken.kind == kind,
            OneTimeToken.expires_at > now,
            # Release 0.1 notes no address.
            or_(
                OneTimeToken.email.is_(None),
                has_account(OneTimeToken.user_id, OneTimeToken.email),
            ),
        )

    def _hash(self, token: str) -> bytes:
        return self._secrets.mac(PURPOSE, token)
