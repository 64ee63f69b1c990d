"""The current password, which is asked for again before what signs somebody in is changed."""

from __future__ import annotations

from dataclasses import dataclass

from portico_kit.call import Call
from portico_kit.errors import FieldViolation
from server.features.users.errors import CurrentPasswordWrongError, UserNotFoundError
from server.features.users.facade import Account, Accounts
from server.features.users.passwords import Passwords


@dataclass(frozen=True, slots=True)
class CurrentPassword:
    """Checks the password of whoever calls.

    The check takes a processor for a while, so it stands before the first query of the
    call's transaction.
    """

    accounts: Accounts
    passwords: Passwords

    async def require(self, password: str, call: Call) -> Account:
        """The caller's account, as it was when the password was checked.

        Args:
            password: of the request's field `current_password`.

        Raises:
            CurrentPasswordWrongError: if it is another one.
        """
        account = await self.accounts.load(call.user_id)
        if account is None:
            raise UserNotFoundError
        stored = account.password_hash
        if stored is None or not await self.passwords.verify(password, stored):
            raise current_password_wrong()
        return account


def current_password_wrong() -> CurrentPasswordWrongError:
    """The refusal, which names the field."""
    violation = FieldViolation("current_password", "WRONG", "is not the current password")
    return CurrentPasswordWrongError(violations=(violation,))
