"""How the factors of a person are reset: requested, agreed to, carried out or canceled.

One administrator alone can do it after a day, in which the person can cancel it; two at once.
Everything that belongs to a step is one transaction, with the person's account locked: of two
callers one comes first, and what is killed in the middle has not happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico.factor_resets.v1 import factor_reset_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.credentials import Principal
from portico_kit.errors import PermissionDeniedError
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.common.mail import Mail
from server.features.auth.authenticator import acting_person
from server.features.auth.facade import Sessions
from server.features.emails.facade import Mailer
from server.features.factor_resets import messages
from server.features.factor_resets.errors import FactorResetNotFoundError, SelfResetError
from server.features.factor_resets.mails import (
    FACTOR_RESET_CANCELED,
    FACTOR_RESET_REQUESTED,
    FACTORS_RESET,
)
from server.features.factor_resets.models import HOLD, FactorReset
from server.features.factor_resets.repository import FactorResetRepository
from server.features.factors.errors import FactorRequiredError
from server.features.factors.facade import Factors
from server.features.users.errors import UserNotFoundError
from server.features.users.facade import Account, Accounts
from server.features.users.notices import readable

PURPOSE = "cancel-factor-reset"


@dataclass(frozen=True, slots=True)
class Resets:
    """The steps of a reset."""

    accounts: Accounts
    factors: Factors
    sessions: Sessions
    mailer: Mailer
    secrets: Secrets

    async def request(self, user_id: UUID, call: Call) -> pb.FactorReset:
        """Requests a reset, or agrees to one that another administrator has requested.

        Raises:
            SelfResetError: if it is the caller's own.
            UserNotFoundError: if there is no such account.
            FactorRequiredError: if the person has no factor.
            PermissionDeniedError: if the caller is no administrator any more.
        """
        if user_id == call.user_id:
            raise SelfResetError
        # Before the account, as whoever changes administrators does; until the commit nobody
        # stops being one.
        await self.accounts.lock_administrators(call.db)
        if not await self.accounts.may_write_users(call.db, call.user_id):
            raise PermissionDeniedError(permission=call.method.permission)
        account = await self._lock(user_id, call)
        repository = FactorResetRepository(call.db)
        pending = await repository.of_person(user_id)
        if pending is None:
            return await self._begin(account, call)
        if pending.requested_by == call.user_id:
            return messages.reset(pending, messages.PENDING)
        if not await self.accounts.may_write_users(call.db, pending.requested_by):
            # Whoever requested it may not any more: it counts for nothing.
            await self._end(pending, call)
            return await self._begin(account, call)
        return await self._complete(pending, account, call, approved_by=call.user_id)

    async def carry_out(self, user_id: UUID, call: Call) -> None:
        """Carries a reset out that is due; nothing if it is over, or is not due any more."""
        await self.accounts.lock_administrators(call.db)
        account = await self.accounts.lock(call.db, user_id)
        pending = await FactorResetRepository(call.db).of_person(user_id)
        if pending is None or pending.due_at > call.now:
            return
        allowed = await self.accounts.may_write_users(call.db, pending.requested_by)
        if account is None or not account.has_second_factor or not allowed:
            await self._end(pending, call)
            return
        await self._complete(pending, account, call)

    async def cancel(self, token: str, call: Call) -> None:
        """Cancels the reset of a token.

        Raises:
            FactorResetNotFoundError: if there is none.
        """
        token_hash = self._hash(token)
        repository = FactorResetRepository(call.db)
        user_id = await repository.person_of(token_hash)
        account = await self.accounts.lock(call.db, user_id) if user_id else None
        pending = await repository.of_person(account.id) if account else None
        if account is None or pending is None or pending.token_hash != token_hash:
            raise FactorResetNotFoundError
        await self._end(pending, call, acting_person(account.id))
        self._mail(account, FACTOR_RESET_CANCELED, call)

    async def _lock(self, user_id: UUID, call: Call) -> Account:
        account = await self.accounts.lock(call.db, user_id)
        if account is None:
            raise UserNotFoundError
        if not account.has_second_factor:
            raise FactorRequiredError
        return account

    async def _begin(self, account: Account, call: Call) -> pb.FactorReset:
        token = new_token()
        reset = FactorReset(
            id=new_id(),
            user_id=account.id,
            requested_by=call.user_id,
            token_hash=self._hash(token),
            requested_at=call.now,
            due_at=call.now + HOLD,
        )
        FactorResetRepository(call.db).add(reset)
        await call.db.flush()
        shown = messages.reset(reset, messages.PENDING)
        call.record("factor_reset.requested", target_id=account.id, data=shown)
        self._mail(
            account, FACTOR_RESET_REQUESTED, call, token=token, due_at=readable(reset.due_at)
        )
        return shown

    async def _complete(
        self, pending: FactorReset, account: Account, call: Call, approved_by: UUID | None = None
    ) -> pb.FactorReset:
        shown = messages.reset(pending, messages.COMPLETED, approved_by)
        await FactorResetRepository(call.db).delete(pending)
        await self.factors.remove_all(account.id, call)
        await self.sessions.end_all(account.id, "factors_reset", call)
        call.record("factor_reset.completed", target_id=account.id, data=shown)
        self._mail(account, FACTORS_RESET, call)
        return shown

    async def _end(self, pending: FactorReset, call: Call, actor: Principal | None = None) -> None:
        """Ends a reset that is not carried out."""
        shown = messages.reset(pending, messages.CANCELED)
        await FactorResetRepository(call.db).delete(pending)
        call.record("factor_reset.canceled", target_id=pending.user_id, data=shown, actor=actor)

    def _mail(self, account: Account, mail: Mail, call: Call, **values: str) -> None:
        self.mailer.send(call, account.email, mail, display_name=account.display_name, **values)

    def _hash(self, token: str) -> bytes:
        """What is kept of a token. It is random, so a fast keyed hash is enough."""
        return self.secrets.mac(PURPOSE, token)
