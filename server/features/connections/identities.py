"""The identities of a person: the methods."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico.connections.v1 import identity_service_pb2 as pb
from yarl import URL

from portico_kit.call import Call
from portico_kit.errors import UnauthenticatedError
from portico_kit.ids import parse_id
from server.features.auth.standings import SessionStandings
from server.features.connections import messages
from server.features.connections.attempts import Begun
from server.features.connections.errors import (
    ConnectionNotFoundError,
    IdentityNotFoundError,
    LastWayInError,
)
from server.features.connections.facade import Connections
from server.features.connections.federated_sign_in import CHANNEL, FederatedSignInService
from server.features.connections.flows import GITHUB, Flows
from server.features.connections.mails import IDENTITY_UNLINKED
from server.features.connections.models import FederatedSession, Identity
from server.features.connections.oidc.checks import CheckFailedError, Checks, ProviderFailedError
from server.features.connections.repository import (
    ConnectionRepository,
    FederatedSessionRepository,
    IdentityRepository,
)
from server.features.emails.facade import Mailer
from server.features.factors.facade import Factors
from server.features.users.facade import Account, Accounts
from server.features.users.notices import when_and_where

PASSKEY = "passkey"


@dataclass(frozen=True, slots=True)
class IdentityService:
    """Serves portico.connections.v1.IdentityService."""

    accounts: Accounts
    connections: Connections
    sign_in: FederatedSignInService
    factors: Factors
    standings: SessionStandings
    flows: Flows
    mailer: Mailer

    async def ListIdentities(  # noqa: N802
        self, request: pb.ListIdentitiesRequest, call: Call
    ) -> pb.ListIdentitiesResponse:
        """The caller's, with the names of their connections."""
        rows = await IdentityRepository(call.db).list(call.user_id)
        ids = [row.connection_id for row in rows if row.connection_id is not None]
        names = await ConnectionRepository(call.db).names(ids)
        shown = [
            messages.identity(row, names.get(row.connection_id, "") if row.connection_id else "")
            for row in rows
        ]
        return pb.ListIdentitiesResponse(identities=shown)

    async def BeginLink(  # noqa: N802
        self, request: pb.BeginLinkRequest, call: Call
    ) -> pb.BeginLinkResponse:
        """As the beginning of a sign-in, for somebody who is signed in."""
        connection = await self.connections.find_enabled(parse_id(request.connection_id))
        begun = Begun(
            connection.id, "link", request.return_to, call.user_id, call.principal.session_id
        )
        url, token = await self.sign_in.begin(connection, begun, request.browser_token, call)
        return pb.BeginLinkResponse(authorization_url=url, browser_token=token)

    async def UnlinkIdentity(  # noqa: N802
        self, request: pb.UnlinkIdentityRequest, call: Call
    ) -> pb.UnlinkIdentityResponse:
        """With the account locked: of two at once, each sees what the other has left."""
        account = await self.accounts.lock(call.db, call.user_id)
        if account is None:
            raise UnauthenticatedError
        repository = IdentityRepository(call.db)
        identity = await repository.find_own(parse_id(request.identity_id), account.id)
        if identity is None:
            raise IdentityNotFoundError
        if not await self._has_other_way_in(account, identity, repository):
            raise LastWayInError
        name = await _connection_name(identity, call)
        await repository.delete(identity)
        shown = messages.identity(identity, name)
        call.record("user.identity_unlinked", target_id=account.id, data=shown)
        self.mailer.send(
            call,
            account.email,
            IDENTITY_UNLINKED,
            display_name=account.display_name,
            provider_name=name or identity.issuer,
            **when_and_where(call),
        )
        return pb.UnlinkIdentityResponse()

    async def _has_other_way_in(
        self, account: Account, identity: Identity, repository: IdentityRepository
    ) -> bool:
        if account.password_hash is not None:
            return True
        if await repository.usable_besides(identity):
            return True
        return PASSKEY in await self.factors.kinds(account.id)

    async def GetProviderLogout(  # noqa: N802
        self, request: pb.GetProviderLogoutRequest, call: Call
    ) -> pb.GetProviderLogoutResponse:
        """The page of the provider that the session began at."""
        session_id = call.principal.session_id
        shown = await self.standings.shown(session_id) if session_id else None
        names = [each.channel for each in shown or () if each.channel.startswith(CHANNEL)]
        if not names:
            return pb.GetProviderLogoutResponse()
        federated_id = UUID(names[-1].removeprefix(CHANNEL))
        found = await FederatedSessionRepository(call.db).find(federated_id, call.user_id)
        return await self._provider_logout(found) if found else pb.GetProviderLogoutResponse()

    async def _provider_logout(self, session: FederatedSession) -> pb.GetProviderLogoutResponse:
        """The page, or none if there is none now: the person signs out here all the same."""
        none = pb.GetProviderLogoutResponse()
        try:
            connection = await self.connections.find(session.connection_id)
            if connection.preset == GITHUB:
                return none
            client = self.flows.client(connection)
            metadata = await self.flows.openid.metadata(client, Checks())
        except (ConnectionNotFoundError, ProviderFailedError, CheckFailedError):
            return none
        if not metadata.end_session_endpoint:
            return none
        asked = {
            "client_id": client.client_id,
            "post_logout_redirect_uri": self.flows.public_url + "/",
        }
        if hint := self.flows.hint(session.sealed_id_token):
            asked["id_token_hint"] = hint
        url = URL(metadata.end_session_endpoint).update_query(asked)
        return pb.GetProviderLogoutResponse(logout_url=str(url), connection_name=connection.name)


async def _connection_name(identity: Identity, call: Call) -> str:
    if identity.connection_id is None:
        return ""
    names = await ConnectionRepository(call.db).names([identity.connection_id])
    return names.get(identity.connection_id, "")
