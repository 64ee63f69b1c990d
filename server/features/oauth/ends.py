"""How the tokens of an authorization end before their time: the row, the audit log, the mail."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico_kit.call import Call
from portico_kit.credentials import Principal
from server.features.applications.facade import Client
from server.features.emails.facade import Mailer
from server.features.oauth.mails import APPLICATION_TOKEN_REUSED
from server.features.oauth.repository import AuthorizationRepository, UsedCode
from server.features.users.facade import Accounts
from server.features.users.notices import UNKNOWN_ADDRESS, readable


@dataclass(frozen=True, slots=True)
class Ends:
    """Ends them, once each."""

    accounts: Accounts
    mailer: Mailer

    async def code_reused(self, client: Client, code: UsedCode, call: Call) -> None:
        """Ends what came of a code that was used for the second time."""
        await self._end(client, code.authorization_id, "authorization.code_reused", call)

    async def refresh_token_reused(
        self, client: Client, authorization_id: UUID, user_id: UUID, call: Call
    ) -> None:
        """Ends what came of an authorization of whose refresh tokens somebody else has one, too."""
        action = "authorization.refresh_token_reused"
        if not await self._end(client, authorization_id, action, call):
            return
        account = await self.accounts.load(user_id)
        if account is None:
            return
        self.mailer.send(
            call,
            account.email,
            APPLICATION_TOKEN_REUSED,
            display_name=account.display_name,
            application_name=client.name,
            ended_at=readable(call.now),
            client_address=call.client.address or UNKNOWN_ADDRESS,
        )

    async def revoked(self, client: Client, authorization_id: UUID, call: Call) -> None:
        """Ends what came of an authorization, for its application asks for it."""
        await self._end(client, authorization_id, "authorization.revoked", call)

    async def _end(self, client: Client, authorization_id: UUID, action: str, call: Call) -> bool:
        ended = await AuthorizationRepository(call.db).end(authorization_id, call.now)
        if ended:
            call.record(
                action,
                target_id=authorization_id,
                details={"clientId": client.client_id},
                actor=Principal("application", client.id),
            )
        return ended
