"""How many mails a caller can cause: charged before a mail is queued, exact over all processes.

Mails that nobody but their reader can cause, such as the notice of a changed password,
are not charged: nobody shall be able to use up what they are sent from.
"""

from __future__ import annotations

from typing import Literal

from portico_kit.call import Call
from server.common.limiter import Limiter, Payer

# An address has a budget for each kind: who uses up the invitations to an address, or the
# links that anybody can have sent again to it, does not keep its owner from an account, and
# who has sign-ins refused not from hearing of one that succeeded.
MailKind = Literal[
    "account",
    "verification",
    "email_change",
    "invitation",
    "new_sign_in",
    "sign_in_blocked",
    "code",
    "security_policy",
]


class MailBudgets:
    """The budgets of recipients, organizations and callers."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def charge(
        self, call: Call, recipient: str, kind: MailKind, organization: Payer | None = None
    ) -> None:
        """Charges one mail; a call does it last, so that only mails that go out are charged.

        Args:
            recipient: the address.
            organization: in whose name the mail is sent, if in any.

        Raises:
            RateLimitExceededError: if a budget is used up.
            UnavailableError: if nobody can say whether it is.
        """
        caller = call.principal
        # Whatever acts for a person uses up what is theirs.
        sender = str(caller.person_id or caller.id or "") or None
        await self._limiter.charge_mail(recipient, kind, sender, organization)
