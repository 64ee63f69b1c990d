"""The mails that the owner of an account gets about their sessions."""

from __future__ import annotations

from dataclasses import dataclass

from portico_kit.call import Call
from server.features.auth.mails import SESSION_ENDED
from server.features.auth.models import Session
from server.features.emails.facade import Mailer
from server.features.users.facade import Accounts
from server.features.users.notices import UNKNOWN_ADDRESS, readable


@dataclass(frozen=True, slots=True)
class Notices:
    """Sends them."""

    accounts: Accounts
    mailer: Mailer

    async def refresh_token_reused(self, session: Session, call: Call) -> None:
        """Says that a session has ended because two had its tokens."""
        account = await self.accounts.load(session.user_id)
        if account is None:
            return
        self.mailer.send(
            call,
            account.email,
            SESSION_ENDED,
            display_name=account.display_name,
            began_at=readable(session.created_at),
            ended_at=readable(call.now),
            client_address=call.client.address or UNKNOWN_ADDRESS,
        )
