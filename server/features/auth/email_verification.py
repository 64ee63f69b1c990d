"""The mails with which a person shows that an address is theirs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from portico_kit.call import Call
from portico_kit.errors import UnavailableError
from server.common.limiter import RateLimitExceededError
from server.features.auth.mails import VERIFY_EMAIL
from server.features.auth.one_time_tokens import OneTimeTokens
from server.features.emails.budgets import MailBudgets
from server.features.emails.facade import Mailer
from server.features.users.facade import Account, Accounts

# A sign-in with an address that is not verified mails a link; not more often than this.
INTERVAL = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class EmailVerification:
    """Mails links that verify addresses."""

    accounts: Accounts
    tokens: OneTimeTokens
    mailer: Mailer
    budgets: MailBudgets

    async def mail(self, account: Account, call: Call) -> None:
        """Mails a link.

        Raises:
            RateLimitExceededError: if the address has no mail left.
            UnavailableError: if nobody can say whether it has.
        """
        await self.budgets.charge(call, account.email, "account")
        token = await self.tokens.issue(call.db, account.id, "verify_email", call.now)
        self.mailer.send(
            call, account.email, VERIFY_EMAIL, token=token, display_name=account.display_name
        )

    async def mail_again(self, account: Account, call: Call) -> None:
        """Mails a link, unless one went out just now or the address has no mail left.

        The answer to a sign-in is the same either way.
        """
        # The lock makes two sign-ins at once send one mail.
        await self.accounts.lock(call.db, account.id)
        lately = call.now - INTERVAL
        if not await self.tokens.issued_since(call.db, account.id, "verify_email", lately):
            with suppress(RateLimitExceededError, UnavailableError):
                await self.mail(account, call)
