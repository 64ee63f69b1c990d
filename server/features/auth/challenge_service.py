"""Challenges: the verbs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from uuid import UUID

from google.protobuf.json_format import ParseDict
from portico.auth.v1 import challenge_service_pb2 as pb
from portico.passkeys.v1.passkey_pb2 import PasskeyRequestOptions

from portico_kit.assurance import Assurance, Authentication
from portico_kit.call import Call
from portico_kit.clock import timestamp
from portico_kit.errors import UnauthenticatedError
from server.features.auth import messages
from server.features.auth.candidates import PASSWORD, password_shown
from server.features.auth.challenges import Challenges
from server.features.auth.devices import Device, Devices
from server.features.auth.errors import (
    ChallengeExpiredError,
    InvalidCredentialsError,
    NothingToShowError,
)
from server.features.auth.models import CHALLENGE_LIFETIME, Challenge
from server.features.auth.recognition import Recognition
from server.features.auth.session_devices import SessionDevices
from server.features.auth.session_step_up import SessionStepUp
from server.features.auth.sign_in_completion import Completed, SignInCompletion
from server.features.auth.standings import SessionStandings
from server.features.auth.token_pairs import TokenPair
from server.features.factors.ports import Answer, FactorChallenge
from server.features.passkeys.facade import Passkeys
from server.features.users.current_password import CurrentPassword
from server.features.users.facade import Account, Accounts


@dataclass(frozen=True, slots=True)
class ChallengeService:
    """Serves portico.auth.v1.ChallengeService."""

    accounts: Accounts
    challenges: Challenges
    completion: SignInCompletion
    devices: Devices
    recognition: Recognition
    session_devices: SessionDevices
    current_password: CurrentPassword
    step_up: SessionStepUp
    passkeys: Passkeys
    standings: SessionStandings

    async def BeginStepUp(
        self, request: pb.BeginStepUpRequest, call: Call
    ) -> pb.BeginStepUpResponse:
        """A challenge for the caller, in the session of the call."""
        account = await self.accounts.load(call.user_id)
        session_id = call.principal.session_id
        if account is None or session_id is None:
            raise UnauthenticatedError
        shown = await self.standings.shown(session_id)
        if shown is None:
            raise UnauthenticatedError
        level = Assurance.of(request.acr_values)
        challenge = await self.challenges.begin(
            account, shown, call, session_id=session_id, level=level
        )
        if not challenge.methods:
            raise NothingToShowError(missing=level.way_out)
        return pb.BeginStepUpResponse(
            challenge=challenge.token,
            methods=challenge.methods,
            expires_in=int(CHALLENGE_LIFETIME.total_seconds()),
        )

    async def GetChallengePasskeyOptions(
        self, request: pb.GetChallengePasskeyOptionsRequest, call: Call
    ) -> pb.GetChallengePasskeyOptionsResponse:
        """Options for the passkeys of the challenge's person."""
        challenge = await self.challenges.find(request.challenge, call)
        account = await self.accounts.load(challenge.user_id)
        if account is None:
            raise ChallengeExpiredError
        options = await self.passkeys.options(FactorChallenge(challenge.id, account), call)
        return pb.GetChallengePasskeyOptionsResponse(
            options=ParseDict(options, PasskeyRequestOptions())
        )

    async def SendChallengeCode(
        self, request: pb.SendChallengeCodeRequest, call: Call
    ) -> pb.SendChallengeCodeResponse:
        """The challenge is locked, the account is not: who completes it locks that first."""
        account = await self.accounts.load(await self.challenges.person(request.challenge, call))
        if account is None or not account.active:
            raise ChallengeExpiredError
        challenge = await self.challenges.find(request.challenge, call)
        await self.challenges.send(challenge, account, request.method, call)
        return pb.SendChallengeCodeResponse()

    async def CompleteChallenge(
        self, request: pb.CompleteChallengeRequest, call: Call
    ) -> pb.CompleteChallengeResponse:
        """Tokens, for the right answer.

        The account is locked before the challenge, as everywhere; a password is checked
        before both.
        """
        user_id = await self.challenges.person(request.challenge, call)
        password = await self._password(user_id, request, call)
        account = await self.accounts.lock(call.db, user_id)
        if account is None:
            raise ChallengeExpiredError
        challenge = await self.challenges.find(request.challenge, call)
        credential = request.credential if request.HasField("credential") else None
        answer = Answer(code=request.code, credential=credential)
        if challenge.session_id is not None:
            own = await self.session_devices.device(challenge.session_id)
            shown = password or await self.challenges.answer(
                challenge, account, request.method, answer, own, call
            )
            pair = await self._show(challenge, account, shown, call)
            return _answer(account, pair)
        device = self._device(challenge, request)
        await self.completion.require_allowed(account, call)
        known = await self.recognition.known_device(device, account.id)
        shown = await self.challenges.answer(
            challenge, account, request.method, answer, known, call
        )
        completed = await self._start(challenge, account, shown, device, call)
        if request.remember_device:
            await self.completion.remembered.remember(account.id, device, call)
        assert completed.pair is not None
        return _answer(completed.account, completed.pair, completed.asked_from)

    async def _password(
        self, user_id: UUID, request: pb.CompleteChallengeRequest, call: Call
    ) -> Authentication | None:
        """What the right password shows of a person who has nothing else to show."""
        account = await self.accounts.load(user_id)
        if request.method != PASSWORD or account is None or account.has_second_factor:
            return None
        if not await self.current_password.is_right(account, request.password, call):
            raise InvalidCredentialsError
        return password_shown(account, call.now)

    def _device(self, challenge: Challenge, request: pb.CompleteChallengeRequest) -> Device:
        device = self.devices.recognize(request.device_token)
        presented = self.devices.device_hash(device, challenge.user_id)
        if challenge.device_hash is None or not compare_digest(presented, challenge.device_hash):
            raise ChallengeExpiredError
        return device

    async def _start(
        self,
        challenge: Challenge,
        account: Account,
        shown: Authentication,
        device: Device,
        call: Call,
    ) -> Completed:
        """The tokens of the session that a sign-in began."""
        signed_in = await self.accounts.sign_in(call.db, account, call.now, None)
        if signed_in is None:
            raise ChallengeExpiredError
        await self.challenges.end(challenge, call)
        shown_in_all = [*challenge.shown, shown]
        return await self.completion.start(signed_in, shown_in_all, device, call)

    async def _show(
        self, challenge: Challenge, account: Account, shown: Authentication, call: Call
    ) -> TokenPair:
        """Tokens of the session, which say what was shown in it now."""
        assert challenge.session_id is not None
        pair = await self.step_up.show(challenge.session_id, account.id, shown, call)
        if pair is None:
            raise ChallengeExpiredError
        await self.challenges.end(challenge, call)
        return pair


def _answer(
    account: Account, pair: TokenPair, asked_from: datetime | None = None
) -> pb.CompleteChallengeResponse:
    return pb.CompleteChallengeResponse(
        user=account.message,
        second_factor_required_from=timestamp(asked_from),
        **messages.token_fields(pair),
    )
