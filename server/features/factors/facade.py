"""Factors for other features: which a person has; add one, remove one, note that one was shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from portico.factors.v1.factor_pb2 import Factor as FactorMessage

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from portico_kit.credentials import Principal
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.storage.reads import Reads
from server.common.mail import Mail
from server.features.emails.facade import Mailer
from server.features.factors import messages, recovery_codes
from server.features.factors.errors import (
    FactorNotFoundError,
    FactorRequiredError,
    TooManyFactorsError,
)
from server.features.factors.mails import (
    FACTOR_ADDED,
    FACTOR_REMOVED,
    LAST_FACTOR_REMOVED,
    RECOVERY_CODE_USED,
)
from server.features.factors.models import MOST_OF_A_KIND, Factor
from server.features.factors.ports import DeviceMemory, ShownInSession
from server.features.factors.repository import KINDS, WITH_RECOVERY_CODES, FactorRepository
from server.features.factors.rules import meets
from server.features.organizations.facade import Tenants
from server.features.users.errors import UserNotFoundError
from server.features.users.facade import Account, Accounts
from server.features.users.notices import when_and_where

__all__ = ["AddedFactor", "Factor", "Factors"]


@dataclass(frozen=True, slots=True)
class AddedFactor:
    """A new factor.

    Attributes:
        factor: the row; what its kind keeps refers to its id.
        recovery_codes: if it is the person's first factor.
    """

    factor: Factor
    recovery_codes: Sequence[str] = field(default=(), repr=False)

    @property
    def message(self) -> FactorMessage:
        """The factor as the contract shows it."""
        return messages.factor(self.factor)


class Factors:
    """Keeps the list of what people have. Each kind keeps its own details."""

    def __init__(
        self,
        reads: Reads,
        secrets: Secrets,
        accounts: Accounts,
        mailer: Mailer,
        sessions: ShownInSession,
        tenants: Tenants,
        devices: DeviceMemory,
    ) -> None:
        self._reads = reads
        self._secrets = secrets
        self._accounts = accounts
        self._mailer = mailer
        self._sessions = sessions
        self._tenants = tenants
        self._devices = devices

    async def kinds(self, user_id: UUID) -> Sequence[str]:
        """The kinds of a person's factors, sorted; read outside of the call's transaction."""
        return sorted(row.kind for row in await self._reads.fetch(KINDS, [user_id]))

    async def has_recovery_codes(self, user_id: UUID) -> bool:
        """Whether a person has recovery codes left; read as `kinds` is."""
        return bool(await self._reads.fetch(WITH_RECOVERY_CODES, [user_id]))

    async def of_person(self, user_id: UUID, call: Call) -> Sequence[Factor]:
        """A person's factors, oldest first."""
        return await FactorRepository(call.db).list(user_id)

    async def of_kind(self, user_id: UUID, kind: str, call: Call) -> Sequence[UUID]:
        """The ids of a person's factors of a kind, oldest first, in the call's transaction."""
        present = await FactorRepository(call.db).list(user_id)
        return [factor.id for factor in present if factor.kind == kind]

    async def add(self, kind: str, name: str, shown: Authentication, call: Call) -> AddedFactor:
        """Adds a factor of the caller, who has just shown it.

        Args:
            kind: "totp", "passkey", "email" or "sms".
            name: what the person calls it.
            shown: notes it in the caller's session.

        Raises:
            TooManyFactorsError: if the person has as many of the kind as there can be.
        """
        account = await self._lock(call.user_id, call)
        repository = FactorRepository(call.db)
        present = await repository.list(account.id)
        if sum(each.kind == kind for each in present) >= MOST_OF_A_KIND:
            raise TooManyFactorsError
        factor = Factor(id=new_id(), user_id=account.id, kind=kind, name=name, created_at=call.now)
        repository.add(factor)
        await call.db.flush()
        codes: Sequence[str] = ()
        if not present:
            await self._accounts.set_second_factor(call.db, account.id, present=True)
            codes = await self.new_recovery_codes(account.id, call)
        if call.principal.session_id is not None:
            await self._sessions.note(call.principal.session_id, shown, call)
        await self._devices.forget_all(call.db, account.id)
        call.location(f"/api/v1/users/me/factors/{factor.id}")
        call.record("factor.added", target_id=factor.id, data=messages.event(factor))
        self._notify(account, FACTOR_ADDED, call, factor_name=name)
        return AddedFactor(factor, codes)

    async def remove(self, factor_id: UUID, call: Call) -> None:
        """Removes one of the caller's factors.

        Raises:
            FactorNotFoundError: if the caller has no such factor.
            FactorRequiredError: if an organization requires it: no other one is left that
                would do.
        """
        account = await self._lock(call.user_id, call)
        repository = FactorRepository(call.db)
        factor = await repository.find(factor_id, account.id)
        if factor is None:
            raise FactorNotFoundError
        name = factor.name
        _record_removed(factor, call)
        await repository.delete(factor)
        left = await repository.kinds(account.id)
        await self._require_enough(account.id, left, call)
        if left:
            await self._devices.forget_all(call.db, account.id)
        else:
            await self._forget(account.id, call)
        mail = FACTOR_REMOVED if left else LAST_FACTOR_REMOVED
        self._notify(account, mail, call, factor_name=name)

    async def remove_all(
        self, user_id: UUID, call: Call, *, actor: Principal | None = None
    ) -> Sequence[str]:
        """Removes whatever a person could show, and records it; the account is locked.

        Returns:
            The names of what they had.
        """
        factors = await FactorRepository(call.db).list(user_id)
        for factor in factors:
            _record_removed(factor, call, actor)
        await self._forget(user_id, call)
        return [factor.name for factor in factors]

    async def forget(self, user_id: UUID, call: Call) -> None:
        """Removes whatever somebody could show whose account is deleted."""
        await self.remove_all(user_id, call)

    async def remove_added_since(
        self, user_id: UUID, moment: datetime, call: Call, *, actor: Principal
    ) -> None:
        """Removes what was added to a person from a moment on, recovery codes included.

        The account is locked. What is left stays a second factor; recovery codes that were made
        since are void, whoever has them.
        """
        repository = FactorRepository(call.db)
        await repository.delete_recovery_codes_since(user_id, moment)
        present = await repository.list(user_id)
        added = [factor for factor in present if factor.created_at >= moment]
        for factor in added:
            _record_removed(factor, call, actor)
            await repository.delete(factor)
        if added and len(added) == len(present):
            await self._forget(user_id, call)

    async def note_use(self, factor_id: UUID, call: Call) -> None:
        """Notes that a factor was shown."""
        await FactorRepository(call.db).note_use(factor_id, call.now)

    async def note_failure(self, user_id: UUID, kind: str, call: Call) -> None:
        """Counts a wrong answer; after 100 in a row the person's factors of the kind are off."""
        await FactorRepository(call.db).note_failure(user_id, kind)

    async def new_recovery_codes(self, user_id: UUID, call: Call) -> Sequence[str]:
        """New codes, in place of those from before."""
        codes = recovery_codes.new_codes()
        hashes = [recovery_codes.code_hash(self._secrets, user_id, code) for code in codes]
        await FactorRepository(call.db).replace_recovery_codes(user_id, hashes, call.now)
        return codes

    async def use_recovery_code(self, account: Account, code: str, call: Call) -> bool:
        """Uses a code up, and tells the person; False if it is none of theirs."""
        repository = FactorRepository(call.db)
        hashed = recovery_codes.code_hash(self._secrets, account.id, code)
        if not await repository.use_recovery_code(account.id, hashed):
            return False
        left = await repository.recovery_codes_left(account.id)
        self._notify(account, RECOVERY_CODE_USED, call, codes_left=str(left))
        return True

    async def _require_enough(self, user_id: UUID, left: Sequence[str], call: Call) -> None:
        """Refuses to remove what an organization requires at this moment."""
        rights = await self._tenants.member_rights(user_id)
        unmet = sorted(
            str(organization_id)
            for organization_id, asked in rights.demands.items()
            if any(each.since <= call.now and not meets(left, each.level) for each in asked)
        )
        if unmet:
            raise FactorRequiredError(organization_ids=" ".join(unmet))

    async def _lock(self, user_id: UUID, call: Call) -> Account:
        account = await self._accounts.lock(call.db, user_id)
        if account is None:
            raise UserNotFoundError
        return account

    async def _forget(self, user_id: UUID, call: Call) -> None:
        await FactorRepository(call.db).delete_all(user_id)
        await self._devices.forget_all(call.db, user_id)
        await self._accounts.set_second_factor(call.db, user_id, present=False)

    def _notify(self, account: Account, mail: Mail, call: Call, **values: str) -> None:
        name = account.display_name
        self._mailer.send(
            call, account.email, mail, display_name=name, **when_and_where(call), **values
        )


def _record_removed(factor: Factor, call: Call, actor: Principal | None = None) -> None:
    shown = messages.event(factor)
    call.record("factor.removed", target_id=factor.id, data=shown, actor=actor)
