"""Signing in with a provider: the methods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from portico.connections.v1 import federated_sign_in_service_pb2 as pb

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from portico_kit.errors import DomainError
from portico_kit.ids import new_id, parse_id
from server.common.email_addresses import normal_email
from server.features.auth.authenticator import acting_person
from server.features.auth.devices import Devices
from server.features.auth.facade import Sessions
from server.features.auth.session_step_up import SessionStepUp
from server.features.connections import messages
from server.features.connections.attempts import Attempts, Begun, OpenedAttempt
from server.features.connections.errors import (
    FederatedStateInvalidError,
    LogoutTokenInvalidError,
    ProviderRefusedError,
    ProviderResponseInvalidError,
    ProviderUnreachableError,
)
from server.features.connections.facade import Connections
from server.features.connections.flows import GITHUB, Flows, client_key
from server.features.connections.linking import Linking
from server.features.connections.models import FederatedSession
from server.features.connections.oidc.checks import CheckFailedError, Checks, ProviderFailedError
from server.features.connections.oidc.client import Callback, ProviderAccount
from server.features.connections.oidc.client_keys import ClientKey
from server.features.connections.oidc.id_tokens import (
    LOGOUT_TOKEN_LIFETIME,
    SKEW,
    check_auth_time,
)
from server.features.connections.ports import SignInCompletion
from server.features.connections.preview import Preview
from server.features.connections.read_models import ConnectionView
from server.features.connections.repository import FederatedSessionRepository
from server.features.connections.request_objects import RequestObjects
from server.features.connections.trust import domain_of
from server.features.domains.facade import Domains

# As long as a session can last.
SESSION_LIFETIME = timedelta(days=31)
# Within which a provider must have asked somebody who they are, for a step-up.
MAX_AGE = timedelta(minutes=5)
# For all calls to a provider together: less than a page waits for us
# (`edge.web.core_client.PROVIDER_SECONDS`), so that it can say what happened.
PATIENCE = 8.0  # seconds
CHANNEL = "provider:"


@dataclass(frozen=True, slots=True)
class FederatedSignInService:
    """Serves portico.connections.v1.FederatedSignInService."""

    connections: Connections
    domains: Domains
    attempts: Attempts
    flows: Flows
    linking: Linking
    preview: Preview
    completion: SignInCompletion
    sessions: Sessions
    step_ups: SessionStepUp
    devices: Devices
    request_objects: RequestObjects

    async def ListSignInOptions(  # noqa: N802
        self, request: pb.ListSignInOptionsRequest, call: Call
    ) -> pb.ListSignInOptionsResponse:
        """By the domain alone: whether the address has an account makes no difference."""
        domain = domain_of(normal_email(request.email)) if "@" in request.email else ""
        owner = await self.domains.owner(domain)
        found = await self.connections.options(owner)
        return pb.ListSignInOptionsResponse(options=[messages.option(each) for each in found])

    async def BeginFederatedSignIn(  # noqa: N802
        self, request: pb.BeginFederatedSignInRequest, call: Call
    ) -> pb.BeginFederatedSignInResponse:
        """Keeps nothing: what has to be known later is sealed in the state."""
        connection = await self.connections.find_enabled(parse_id(request.connection_id))
        begun = Begun(connection.id, "sign_in", request.return_to)
        url, token = await self.begin(
            connection, begun, request.browser_token, call, request.login_hint
        )
        return pb.BeginFederatedSignInResponse(authorization_url=url, browser_token=token)

    async def BeginFederatedStepUp(  # noqa: N802
        self, request: pb.BeginFederatedStepUpRequest, call: Call
    ) -> pb.BeginFederatedStepUpResponse:
        """Bound to the session of the call, and to the identity that has to come back."""
        wanted = parse_id(request.connection_id) if request.connection_id else None
        identity = await self.connections.to_sign_in_again(call.user_id, wanted)
        connection = await self.connections.find_enabled(identity.connection_id)
        begun = Begun(
            connection.id,
            "step_up",
            request.return_to,
            call.user_id,
            call.principal.session_id,
            identity.id,
        )
        url, token = await self.begin(
            connection, begun, request.browser_token, call, identity.email
        )
        return pb.BeginFederatedStepUpResponse(authorization_url=url, browser_token=token)

    async def begin(
        self,
        connection: ConnectionView,
        begun: Begun,
        browser_token: str,
        call: Call,
        hint: str = "",
    ) -> tuple[str, str]:
        """Where to send the browser, and what it keeps.

        Raises:
            ProviderUnreachableError: if the provider does not answer.
            ProviderResponseInvalidError: if it is not the one that is meant.
        """
        attempt, token = self.attempts.begin(begun, browser_token, call.now)
        client = self.flows.client(connection)
        max_age = MAX_AGE if begun.purpose == "step_up" else None
        try:
            return await self.flows.of(connection).begin(client, attempt, hint, max_age), token
        except (ProviderFailedError, CheckFailedError) as error:
            raise _refusal(error) from error

    async def CompleteFederatedSignIn(  # noqa: N802
        self, request: pb.CompleteFederatedSignInRequest, call: Call
    ) -> pb.CompleteFederatedSignInResponse:
        """Asks the provider before the call's transaction begins."""
        opened = await self.attempts.use(request.state, request.browser_token, call.now)
        begun = opened.begun
        if begun.purpose == "test":
            answer = await self._test(request, opened, call)
        else:
            connection = await self.connections.find_enabled(begun.connection_id)
            await self._require_same_person(begun)
            found = await self._at_provider(connection, request, opened, call)
            if begun.purpose == "link":
                answer = await self._link(connection, found, begun, call)
            elif begun.purpose == "step_up":
                answer = await self._step_up(connection, found, begun, call)
            else:
                answer = await self._sign_in(connection, found, request.device_token, call)
        answer.purpose, answer.return_to = begun.purpose, begun.return_to
        return answer

    async def _sign_in(
        self, connection: ConnectionView, found: ProviderAccount, device_token: str, call: Call
    ) -> pb.CompleteFederatedSignInResponse:
        account = await self.linking.account_for(connection, found, call)
        shown = self._shown(connection, found, account.id, call.now, call)
        device = self.devices.recognize(device_token)
        completed = await self.completion.complete(account, shown, device, call)
        return pb.CompleteFederatedSignInResponse(**completed.fields)

    async def _step_up(
        self, connection: ConnectionView, found: ProviderAccount, begun: Begun, call: Call
    ) -> pb.CompleteFederatedSignInResponse:
        """Shown at the moment at which the provider asked, not when the browser came back."""
        user_id, identity_id, session_id = begun.user_id, begun.identity_id, begun.session_id
        assert user_id is not None
        assert identity_id is not None
        assert session_id is not None
        assert found.auth_time is not None
        account = await self.linking.again(connection, found, user_id, identity_id, call)
        asked_at = min(call.now, datetime.fromtimestamp(found.auth_time, UTC))
        shown = self._shown(connection, found, account.id, asked_at, call)
        tokens = await self.step_ups.fields(session_id, account.id, shown, call)
        if tokens is None:
            raise FederatedStateInvalidError
        return pb.CompleteFederatedSignInResponse(user=account.message, **tokens)

    def _shown(
        self,
        connection: ConnectionView,
        found: ProviderAccount,
        user_id: UUID,
        at: datetime,
        call: Call,
    ) -> Authentication:
        """What a sign-in at a provider shows."""
        second = connection.shows_second_factor(found.amr, found.acr)
        session_id = self._note(connection, found, user_id, call)
        method = "federated_mfa" if second else "federated"
        return Authentication(method, at, f"{CHANNEL}{session_id}")

    def _note(
        self, connection: ConnectionView, found: ProviderAccount, user_id: UUID, call: Call
    ) -> UUID:
        """Remembers what the provider calls its session; the id by which ours names it."""
        session = FederatedSession(
            id=new_id(),
            user_id=user_id,
            connection_id=connection.id,
            token_subject=found.token_subject or found.subject,
            provider_session=found.session,
            sealed_id_token=self.flows.sealed_hint(found.id_token),
            created_at=call.now,
            expires_at=call.now + SESSION_LIFETIME,
        )
        FederatedSessionRepository(call.db).add(session)
        return session.id

    async def _link(
        self, connection: ConnectionView, found: ProviderAccount, begun: Begun, call: Call
    ) -> pb.CompleteFederatedSignInResponse:
        assert begun.user_id is not None
        identity = await self.linking.link(connection, found, begun.user_id, call)
        shown = messages.identity(identity, connection.name)
        return pb.CompleteFederatedSignInResponse(identity=shown)

    async def _test(
        self, request: pb.CompleteFederatedSignInRequest, opened: OpenedAttempt, call: Call
    ) -> pb.CompleteFederatedSignInResponse:
        """Shows what came of each check, and changes nothing."""
        connection = await self.connections.find(opened.begun.connection_id)
        await self._require_same_person(opened.begun)
        checks = Checks()
        try:
            found = await self._ask(connection, request, opened, call, checks)
        except ProviderFailedError as error:
            checks.note("provider", False, error.detail)
        except ProviderRefusedError:
            checks.note("provider", False, "the provider, or the person there, refused")
        except CheckFailedError:
            pass  # it stands among the checks
        else:
            await self.preview.note(connection, found, checks, call)
        done = [messages.check(each) for each in checks.done]
        return pb.CompleteFederatedSignInResponse(checks=done)

    async def _at_provider(
        self,
        connection: ConnectionView,
        request: pb.CompleteFederatedSignInRequest,
        opened: OpenedAttempt,
        call: Call,
    ) -> ProviderAccount:
        """Who has signed in there.

        Raises:
            DomainError: if nobody has; it is in the audit log.
        """
        try:
            return await self._ask(connection, request, opened, call, Checks())
        except (ProviderFailedError, CheckFailedError, ProviderRefusedError) as error:
            refusal = error if isinstance(error, DomainError) else _refusal(error)
            details = {"connectionId": str(connection.id), "reason": str(error)[:300]}
            call.record("login.failed", target_id=None, details=details)
            raise refusal from error

    async def _ask(
        self,
        connection: ConnectionView,
        request: pb.CompleteFederatedSignInRequest,
        opened: OpenedAttempt,
        call: Call,
        checks: Checks,
    ) -> ProviderAccount:
        client, flow = self.flows.client(connection), self.flows.of(connection)
        if request.error:
            # Whoever made it up gets nothing by that; it is not shown as it stands.
            raise ProviderRefusedError
        checks.require("code", bool(request.code), "the answer has a code")
        callback = Callback(request.code, request.iss)
        async with _patience():
            found = await flow.complete(client, opened.attempt, callback, call.now, checks)
        if opened.begun.purpose == "step_up":
            check_auth_time(found.auth_time, MAX_AGE, call.now, checks)
        return found

    async def _require_same_person(self, begun: Begun) -> None:
        """Lets a link, a step-up or a test end only while the session lasts in which it began.

        Raises:
            FederatedStateInvalidError: if it has ended.
        """
        if begun.session_id is None:
            return
        person = await self.sessions.person(begun.session_id)
        if person is None or person.id != begun.user_id:
            raise FederatedStateInvalidError

    async def ReceiveLogoutToken(  # noqa: N802
        self, request: pb.ReceiveLogoutTokenRequest, call: Call
    ) -> pb.ReceiveLogoutTokenResponse:
        """Ends what rests on the session that the provider has ended."""
        connection = await self.connections.find(parse_id(request.connection_id))
        checks, client = Checks(), self.flows.client(connection)
        try:
            checks.require("provider", connection.preset != GITHUB, "it sends no logout tokens")
            token = request.logout_token
            async with _patience():
                claims = await self.flows.openid.logout(client, token, call.now, checks)
        except ProviderFailedError as error:
            raise ProviderUnreachableError from error
        except CheckFailedError as error:
            raise LogoutTokenInvalidError(check=error.check.name) from error
        jti = f"{connection.id} {claims['jti']}"
        expires_at = call.now + LOGOUT_TOKEN_LIFETIME + 2 * SKEW
        if not await self.attempts.use_once("logout", jti, expires_at):
            raise LogoutTokenInvalidError(check="jti")
        named = await FederatedSessionRepository(call.db).named(
            connection.id, claims.get("sub"), claims.get("sid")
        )
        for session_id, user_id in named:
            actor = acting_person(user_id)
            await self.sessions.end_shown(user_id, f"{CHANNEL}{session_id}", call, actor=actor)
        return pb.ReceiveLogoutTokenResponse()

    async def GetConnectionKeys(  # noqa: N802
        self, request: pb.GetConnectionKeysRequest, call: Call
    ) -> pb.GetConnectionKeysResponse:
        """What anybody may know: the public half."""
        connection = await self.connections.find(parse_id(request.connection_id))
        pem = client_key(connection, self.flows.secrets)
        keys = [pb.ConnectionKey(**ClientKey.read(pem).public)] if pem else []
        return pb.GetConnectionKeysResponse(keys=keys)

    async def GetRequestObject(  # noqa: N802
        self, request: pb.GetRequestObjectRequest, call: Call
    ) -> pb.GetRequestObjectResponse:
        found = await self.request_objects.find(request.request_object_id)
        return pb.GetRequestObjectResponse(request_object=found)


@asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    """Ends the calls to a provider that answers slowly, each in time and together not.

    Raises:
        ProviderFailedError: if they take too long.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except TimeoutError as error:
        raise ProviderFailedError("there was no answer in time") from error


def _refusal(error: ProviderFailedError | CheckFailedError) -> DomainError:
    if isinstance(error, CheckFailedError):
        return ProviderResponseInvalidError(check=error.check.name)
    return ProviderUnreachableError()
