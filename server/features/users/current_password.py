"""The current password, which is asked for again before what signs somebody in is changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from portico_kit.call import Call
from portico_kit.errors import FieldViolation
from server.features.users.errors import CurrentPasswordWrongError, UserNotFoundError
from server.features.users.facade import Account, Accounts
from server.features.users.guessing import Guessing
from server.features.users.passwords import Passwords
from server.features.users.ports import SessionDevices


@dataclass(frozen=True, slots=True)
class CurrentPassword:
    """Checks the password of whoever calls.

    The check takes a processor for a while, so it stands before the first query of the
    call's transaction.
    """

    accounts: Accounts
    passwords: Passwords
    guessing: Guessing
    devices: SessionDevices

    async def require(self, password: str, call: Call) -> Account:
        """The caller's account, as it was when the password was checked.

        Args:
            password: of the request's field `current_password`.

        Raises:
            CurrentPasswordWrongError: if it is another one.
            TooManyAttemptsError: if too many others were tried, here or at sign-in.
        """
        account = await self.accounts.load(call.user_id)
        if account is None:
            raise UserNotFoundError
        if not await self.is_right(account, password, call):
            raise current_password_wrong()
        return account

    async def is_right(self, account: Account, password: str, call: Call) -> bool:
        """Whether it is the account's password.

        Raises:
            TooManyAttemptsError: if too many others were tried, here or at sign-in.
        """
        check = partial(self._check, password, account)
        device = await self._device(call)
        return await self.guessing.check(account.email, account, device, check, call)

    async def require_still(self, password: str, checked: Account, stored: str | None) -> None:
        """Makes sure that an account, which is locked now, has the password that was checked.

        A sign-in at the same moment may have hashed the same one again. It does so once for
        an account, so this one look may keep a connection.

        Args:
            checked: the account as it was then.
            stored: the hash of now.

        Raises:
            CurrentPasswordWrongError: if it has another one.
        """
        before = checked.password_hash
        if before is None or stored is None:
            raise current_password_wrong()
        if before == stored:
            return
        hashed_again = self.passwords.needs_rehash(before)
        if not (hashed_again and await self.passwords.verify(password, stored)):
            raise current_password_wrong()

    async def _device(self, call: Call) -> bytes | None:
        """Who has a session is no stranger: a stranger's attempts keep nobody from changing it."""
        session_id = call.principal.session_id
        return await self.devices.device(session_id) if session_id else None

    async def _check(self, password: str, account: Account) -> bool:
        stored = account.password_hash
        return stored is not None and await self.passwords.verify(password, stored)


def current_password_wrong() -> CurrentPasswordWrongError:
    """The refusal, which names the field."""
    violation = FieldViolation("current_password", "WRONG", "is not the current password")
    return CurrentPasswordWrongError(violations=(violation,))
