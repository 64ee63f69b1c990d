"""Attempts at what signs somebody in: counted; the owner hears of too many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from portico_kit.call import Call
from portico_kit.errors import UnavailableError
from server.common.email_addresses import normal_email
from server.common.guesses import GuessBudget
from server.common.limiter import RateLimitExceededError
from server.common.pretence import kept_if
from server.features.emails.budgets import MailBudgets
from server.features.emails.facade import Mailer
from server.features.users.facade import Account
from server.features.users.mails import SIGN_IN_BLOCKED
from server.features.users.notices import UNKNOWN_ADDRESS, readable

T = TypeVar("T")

# What stands in the mail to nobody, which is taken back.
NOBODY = "nobody@example.invalid"
# In the place of an address: what is guessed beside the password.
SECOND_FACTOR = "second-factor.invalid"


@dataclass(frozen=True, slots=True)
class Guessing:
    """Lets through as many attempts as the budget of an account has."""

    budget: GuessBudget
    mailer: Mailer
    mail_budgets: MailBudgets

    async def check(
        self,
        email: str,
        account: Account | None,
        device: bytes | None,
        check: Callable[[], Awaitable[T]],
        call: Call,
    ) -> T:
        """What the check of an attempt gives: something true if it is right.

        A refusal for a wrong one has to keep what the call wrote: the entry in the audit log
        and the mail to the owner, if it was the last one.

        Args:
            email: the address of the account.
            account: None if nobody has the address; it costs the same.
            device: known to the account, see `GuessBudget.guess`.
            check: the check, of whatever is guessed.

        Raises:
            TooManyAttemptsError: if there is no attempt left now.
            UnavailableError: if nobody can say so.
        """
        guess = await self.budget.guess(email, device, check)
        if guess.used_up:
            await self._report(email, account, call)
        return guess.found

    async def check_second_factor(
        self,
        account: Account,
        device: bytes | None,
        check: Callable[[], Awaitable[T]],
        call: Call,
    ) -> T:
        """The same for an attempt at a second factor.

        It has a budget of its own, for all kinds together: whoever knows the password gets no
        more attempts by that, and does not use up those at the password.

        Args:
            device: known to the account, see `GuessBudget.guess`.
            check: the check, of whatever is guessed.

        Raises:
            TooManyAttemptsError: if there is no attempt left now.
            UnavailableError: if nobody can say so.
        """
        guess = await self.budget.guess(f"{account.id}@{SECOND_FACTOR}", device, check)
        if guess.used_up:
            await self._report(account.email, account, call)
        return guess.found

    async def _report(self, email: str, account: Account | None, call: Call) -> None:
        """Mails the owner; for nobody, does all of the same work and takes it back.

        Neither the answer nor its time tells who has an account.
        """
        known = account is not None and account.active
        async with kept_if(known, call):
            with suppress(RateLimitExceededError, UnavailableError):
                await self.mail_budgets.charge(call, normal_email(email), "sign_in_blocked")
                self.mailer.send(
                    call,
                    account.email if account else NOBODY,
                    SIGN_IN_BLOCKED,
                    display_name=account.display_name if account else "",
                    blocked_at=readable(call.now),
                    client_address=call.client.address or UNKNOWN_ADDRESS,
                )
        call.record("login.blocked", target_id=account.id if account else None)
