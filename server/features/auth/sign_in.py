"""Whether somebody may sign in: the password first, and only then what stands against it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from portico_kit.errors import UnavailableError
from portico_kit.ids import new_id
from server.features.auth.candidates import RECOVERY_CODE
from server.features.auth.challenges import Challenges
from server.features.auth.devices import Device
from server.features.auth.errors import InvalidCredentialsError
from server.features.auth.recognition import Recognition
from server.features.auth.refusals import refused
from server.features.auth.sign_in_completion import SignInCompletion
from server.features.auth.suspicion import Suspicion
from server.features.factors.errors import CodeInvalidError
from server.features.factors.ports import Answer
from server.features.users.facade import Account, Accounts
from server.features.users.guessing import Guessing
from server.features.users.passwords import Passwords

# A hash is replaced by the one form that is set: the second look finds it.
ATTEMPTS = 2
APP_CODE = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class SignIn:
    """Checks addresses and passwords. Each refusal stands in the audit log."""

    accounts: Accounts
    passwords: Passwords
    completion: SignInCompletion
    guessing: Guessing
    recognition: Recognition
    suspicion: Suspicion
    challenges: Challenges

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
            await self.completion.require_allowed(account, call)
            new_hash = await self._new_hash(password, account)
            signed_in = await self.accounts.sign_in(call.db, account, call.now, new_hash)
            if signed_in is not None:
                return signed_in
            # Another password, or another sign-in has hashed the same one again: the hash
            # of now tells. While it is verified, this call keeps no row and no connection.
            await call.db.rollback()
        raise refused(InvalidCredentialsError(), account.id, call)

    async def check_code(
        self, account: Account, code: str, device: Device, call: Call
    ) -> Authentication:
        """What a code shows that came with the password.

        Raises:
            CodeInvalidError: if it is wrong, or was used before.
            TooManyAttemptsError: if the person has no attempt left now.
        """
        method = "totp" if APP_CODE.fullmatch(code) else RECOVERY_CODE
        known = await self.recognition.known_device(device, account.id)
        answer = Answer(code=code)
        shown = await self.challenges.check(new_id(), account, method, answer, known, call)
        if shown is None:
            raise refused(CodeInvalidError(), account.id, call)
        return shown

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
        raise refused(InvalidCredentialsError(), user_id, call)

    async def _verify(self, password: str, account: Account | None) -> bool:
        if account is None or account.password_hash is None:
            return await self.passwords.verify_nothing(password)
        return await self.passwords.verify(password, account.password_hash)

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
