"""The mails with which a person shows that an address is theirs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from portico_kit.call import Call
from portico_kit.errors import UnavailableError
from portico_kit.ids import new_id
from server.common.limiter import RateLimitExceededError
from server.common.pretence import kept_if
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
        await self._send(call, account.email, account.id, account.display_name)

    async def resend(self, email: str, call: Call) -> None:
        """Mails a link if the address has an account and is not verified.

        Otherwise does all of the same work and takes it back: neither the answer nor its
        time tells which it is.

        Args:
            email: in its normal form.

        Raises:
            RateLimitExceededError: if the address has no such mail left, whoever has it.
            UnavailableError: if nobody can say whether it has.
        """
        await self.budgets.charge(call, email, "verification")
        account = await self.accounts.find_by_email(email)
        wanted = account is not None and account.active and not account.verified
        async with kept_if(wanted, call):
            user_id, name = (account.id, account.display_name) if account else (new_id(), "")
            await self._send(call, email, user_id, name)
        call.record("email_verification.requested", target_id=account.id if account else None)

    async def _send(self, call: Call, email: str, user_id: UUID, name: str) -> None:
        token = await self.tokens.issue(call.db, user_id, "verify_email", call.now, email)
        self.mailer.send(call, email, VERIFY_EMAIL, token=token, display_name=name)

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
