"""Whether somebody may sign in: the password first, and only then what stands against it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from portico_kit.call import Call
from portico_kit.errors import DomainError, UnavailableError
from portico_kit.ids import new_id
from server.features.auth.devices import Device
from server.features.auth.email_verification import EmailVerification
from server.features.auth.errors import (
    AccountSuspendedError,
    EmailNotVerifiedError,
    InvalidCredentialsError,
)
from server.features.auth.recognition import Recognition
from server.features.auth.suspicion import Suspicion
from server.features.users.facade import Account, Accounts
from server.features.users.guessing import Guessing
from server.features.users.passwords import Passwords

# A hash is replaced by the one form that is set: the second look finds it.
ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class SignIn:
    """Checks addresses and passwords. Each refusal stands in the audit log."""

    accounts: Accounts
    passwords: Passwords
    verification: EmailVerification
    guessing: Guessing
    recognition: Recognition
    suspicion: Suspicion

    async def check(self, email: str, password: str, device: Device, call: Call) -> Account:
        """The account of a person who may sign in, with the sign-in noted.

        Raises:
            TooManyAttemptsError: if the address has no attempt left, whoever has it.
            InvalidCredentialsError: if there is no such address or the password is wrong.
            AccountSuspendedError: if both are right and the account is suspended.
            EmailNotVerifiedError: if both are right and the address is not verified.
            UnavailableError: if too many passwords wait to be checked.
        """
        for _ in range(ATTEMPTS):
            account = await self._check_password(email, password, device, call)
            await self._require_allowed(account, call)
            new_hash = await self._new_hash(password, account)
            signed_in = await self.accounts.sign_in(call.db, account, call.now, new_hash)
            if signed_in is not None:
                return signed_in
            # Another password, or another sign-in has hashed the same one again: the hash
            # of now tells. While it is verified, this call keeps no row and no connection.
            await call.db.rollback()
        raise _refused(InvalidCredentialsError(), account.id, call)

    async def _check_password(
        self, email: str, password: str, device: Device, call: Call
    ) -> Account:
        """The account whose address and password these are; an unknown one costs the same time."""
        account = await self.accounts.find_by_email(email)
        user_id = account.id if account else None
        known = await self.recognition.known_device(device, user_id or new_id())
        check = partial(self._verify, password, account)
        right = await self.guessing.check(email, account, known, check, call)
        if right and account is not None:
            return account
        await self.suspicion.note(email, user_id, call)
        raise _refused(InvalidCredentialsError(), user_id, call)

    async def _verify(self, password: str, account: Account | None) -> bool:
        if account is None or account.password_hash is None:
            return await self.passwords.verify_nothing(password)
        return await self.passwords.verify(password, account.password_hash)

    async def _require_allowed(self, account: Account, call: Call) -> None:
        if not account.active:
            raise _refused(AccountSuspendedError(), account.id, call)
        if not account.verified:
            await self.verification.mail_again(account, call)
            raise _refused(EmailNotVerifiedError(), account.id, call)

    async def _new_hash(self, password: str, account: Account) -> str | None:
        """The password hashed again, if it was hashed otherwise than is set now.

        Where too many wait for that, the next sign-in does it.
        """
        stored = account.password_hash
        if stored is None or not self.passwords.needs_rehash(stored):
            return None
        try:
            return await self.passwords.hash(password)
        except UnavailableError:
            return None


def _refused(error: DomainError, user_id: UUID | None, call: Call) -> DomainError:
    """The error to raise; it keeps what the call wrote, and so this entry of the audit log."""
    call.record("login.failed", target_id=user_id)
    return error
