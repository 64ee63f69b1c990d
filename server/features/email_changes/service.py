"""Changes of an address: the methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from portico.email_changes.v1 import email_change_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.errors import ConcurrentUpdateError, FieldViolation
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.common.email_addresses import masked, new_email
from server.features.auth.authenticator import acting_person
from server.features.auth.errors import OneTimeTokenInvalidError
from server.features.auth.facade import Sessions
from server.features.auth.one_time_tokens import OneTimeTokens
from server.features.email_changes.errors import EmailUnchangedError
from server.features.email_changes.mails import (
    CONFIRM_EMAIL_CHANGE,
    EMAIL_CHANGE_ATTEMPTED,
    EMAIL_CHANGE_REVERTED,
    EMAIL_CHANGED,
)
from server.features.email_changes.models import CONFIRM_LIFETIME, EmailChange
from server.features.email_changes.repository import EmailChangeRepository
from server.features.emails.budgets import MailBudgets
from server.features.emails.facade import Mailer
from server.features.factors.facade import Factors
from server.features.users.current_password import CurrentPassword, current_password_wrong
from server.features.users.facade import Account, Accounts
from server.features.users.notices import when_and_where

PURPOSE = "email-change"

FindChange = Callable[[bytes], Awaitable[EmailChange | None]]


@dataclass(frozen=True, slots=True)
class EmailChangeService:
    """Serves portico.email_changes.v1.EmailChangeService."""

    accounts: Accounts
    current_password: CurrentPassword
    sessions: Sessions
    tokens: OneTimeTokens
    mailer: Mailer
    budgets: MailBudgets
    factors: Factors
    secrets: Secrets

    async def RequestEmailChange(
        self, request: pb.RequestEmailChangeRequest, call: Call
    ) -> pb.RequestEmailChangeResponse:
        """Does the same for an address that has an account, but for what the mail says.

        The change of an address that is taken is stored, too; nobody gets its token.
        """
        email = new_email(request.new_email, "new_email")
        checked = await self.current_password.require(request.current_password, call)
        if email == checked.email:
            raise _unchanged()
        await self.budgets.charge(call, email, "email_change")
        account = await self._lock_unchanged(request.current_password, checked, call)
        token = await self._replace_pending(account.id, email, call)
        if await self._is_taken(email, account.id, call):
            self.mailer.send(call, email, EMAIL_CHANGE_ATTEMPTED)
        else:
            name = account.display_name
            self.mailer.send(call, email, CONFIRM_EMAIL_CHANGE, token=token, display_name=name)
        call.record("user.email_change_requested", target_id=account.id)
        return pb.RequestEmailChangeResponse()

    async def ConfirmEmailChange(
        self, request: pb.ConfirmEmailChangeRequest, call: Call
    ) -> pb.ConfirmEmailChangeResponse:
        find = EmailChangeRepository(call.db).find_by_confirm_token
        change, account = await self._find_locked(find, request.token, call)
        if not change.is_confirmable(call.now) or not account.active:
            raise OneTimeTokenInvalidError
        if change.confirmed and account.email != change.new_email:
            raise OneTimeTokenInvalidError
        if not change.confirmed:
            account = await self._confirm(change, account, call)
        return pb.ConfirmEmailChangeResponse(user=account.message)

    async def RevertEmailChange(
        self, request: pb.RevertEmailChangeRequest, call: Call
    ) -> pb.RevertEmailChangeResponse:
        find = EmailChangeRepository(call.db).find_by_revert_token
        change, account = await self._find_locked(find, request.token, call)
        if change.is_revertible(call.now):
            await self._revert(change, call)
        elif not change.is_reverted(account.email, call.now):
            raise OneTimeTokenInvalidError
        return pb.RevertEmailChangeResponse()

    async def _lock_unchanged(self, password: str, checked: Account, call: Call) -> Account:
        """The caller's account, locked, if its password is still the one that was checked."""
        account = await self.accounts.lock(call.db, checked.id)
        if account is None:
            raise current_password_wrong()
        await self.current_password.require_still(password, checked, account.password_hash)
        if account.email != checked.email:
            # A change was confirmed or taken back meanwhile; what is wanted now, only they know.
            raise ConcurrentUpdateError
        return account

    async def _replace_pending(self, user_id: UUID, email: str, call: Call) -> str:
        """Stores what the account waits for, and returns the token that confirms it."""
        repository, token = EmailChangeRepository(call.db), new_token()
        await repository.end_pending(user_id, call.now)
        repository.add(
            EmailChange(
                id=new_id(),
                user_id=user_id,
                new_email=email,
                confirm_token_hash=self._hash(token),
                created_at=call.now,
                expires_at=call.now + CONFIRM_LIFETIME,
            )
        )
        await call.db.flush()
        return token

    async def _is_taken(self, email: str, user_id: UUID, call: Call) -> bool:
        """Whether the address has an account, or had one that can get it back."""
        owner = await self.accounts.find_by_email(email)
        reserved = await EmailChangeRepository(call.db).is_reserved(email, user_id, call.now)
        return owner is not None or reserved

    async def _find_locked(
        self, find: FindChange, token: str, call: Call
    ) -> tuple[EmailChange, Account]:
        """The change with a token and its account, both as they are once the account is locked.

        Raises:
            OneTimeTokenInvalidError: if there is none.
        """
        token_hash = self._hash(token)
        found = await find(token_hash)
        account = await self.accounts.lock(call.db, found.user_id) if found else None
        change = await find(token_hash)
        if account is None or change is None:
            raise OneTimeTokenInvalidError
        return change, account

    async def _confirm(self, change: EmailChange, account: Account, call: Call) -> Account:
        """Gives an account the new address, and the old address a way back."""
        changed = await self.accounts.change_email(call.db, account.id, change.new_email, call.now)
        token = new_token()
        change.confirm(account.email, changed.version, self._hash(token), call.now)
        await call.db.flush()
        await self.tokens.use_all(call.db, account.id, call.now)
        self.mailer.send(
            call,
            account.email,
            EMAIL_CHANGED,
            token=token,
            display_name=account.display_name,
            new_address=masked(changed.email),
            **when_and_where(call),
        )
        await self.sessions.forget_remembered_devices(account.id, call)
        actor = acting_person(account.id)
        call.record("user.email_changed", target_id=account.id, data=changed.message, actor=actor)
        return changed

    async def _revert(self, change: EmailChange, call: Call) -> None:
        """Gives an account its old address back, and takes it from everybody else."""
        user_id, email = change.user_id, change.reverts_to
        await EmailChangeRepository(call.db).end_from(change, call.now)
        account = await self.accounts.restore_email(call.db, user_id, email, call.now)
        await self.tokens.use_all(call.db, user_id, call.now)
        actor = acting_person(user_id)
        # Whoever took the account may have put a factor of their own in the way.
        await self.factors.remove_added_since(user_id, change.created_at, call, actor=actor)
        await self.sessions.end_all(user_id, "email_changed", call, actor=actor)
        if account.active:
            token = await self.tokens.issue(call.db, user_id, "reset_password", call.now, email)
            name = account.display_name
            self.mailer.send(call, email, EMAIL_CHANGE_REVERTED, token=token, display_name=name)
        call.record(
            "user.email_change_reverted",
            target_id=user_id,
            data=account.message,
            actor=actor,
            event="user.email_changed",
        )

    def _hash(self, token: str) -> bytes:
        return self.secrets.mac(PURPOSE, token)


def _unchanged() -> EmailUnchangedError:
    """The refusal, which names the field."""
    violation = FieldViolation("new_email", "UNCHANGED", "is the address of the account already")
    return EmailUnchangedError(violations=(violation,))
