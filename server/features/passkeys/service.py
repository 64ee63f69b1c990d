"""The caller's passkeys: the verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.json_format import ParseDict
from portico.passkeys.v1 import passkey_pb2
from portico.passkeys.v1 import passkey_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.errors import UnauthenticatedError
from portico_kit.secrets import Secrets
from server.features.factors.errors import TooManyFactorsError
from server.features.factors.facade import Factors
from server.features.passkeys import messages
from server.features.passkeys.ceremonies import (
    BrokenRuleError,
    RegisteredPasskey,
    challenge_of,
    registered,
)
from server.features.passkeys.challenges import Challenges
from server.features.passkeys.credentials import RegistrationAnswer, encoded, registration_answer
from server.features.passkeys.errors import PasskeyRegistrationInvalidError
from server.features.passkeys.facade import METHOD, authentication
from server.features.passkeys.handles import user_handle
from server.features.passkeys.models import Passkey
from server.features.passkeys.options import creation_options
from server.features.passkeys.providers import new_name
from server.features.passkeys.relying_party import RelyingParty
from server.features.passkeys.repository import PasskeyRepository
from server.features.users.facade import Account, Accounts

# Of a person; as many as factors of any one kind.
MOST = 20


@dataclass(frozen=True, slots=True)
class PasskeyService:
    """Serves portico.passkeys.v1.PasskeyService."""

    site: RelyingParty
    factors: Factors
    accounts: Accounts
    challenges: Challenges
    secrets: Secrets

    async def ListPasskeys(
        self, request: pb.ListPasskeysRequest, call: Call
    ) -> pb.ListPasskeysResponse:
        account = await self._account(call)
        rows = await PasskeyRepository(call.db).list(account.id)
        factors = {each.id: each for each in await self.factors.of_person(account.id, call)}
        return pb.ListPasskeysResponse(
            passkeys=[messages.passkey(row, factors[row.factor_id]) for row in rows],
            signal=self._signal(account, rows),
        )

    async def BeginPasskeyRegistration(
        self, request: pb.BeginPasskeyRegistrationRequest, call: Call
    ) -> pb.BeginPasskeyRegistrationResponse:
        account = await self._account(call)
        present = await PasskeyRepository(call.db).list(account.id)
        if len(present) >= MOST:
            raise TooManyFactorsError
        user = {
            "id": encoded(user_handle(self.secrets, account.id, present)),
            "name": account.email,
            "displayName": account.display_name,
        }
        challenge = self.challenges.new("registration", _session(call), call.now)
        options = creation_options(self.site, user, challenge, present)
        return pb.BeginPasskeyRegistrationResponse(
            options=ParseDict(options, passkey_pb2.PasskeyCreationOptions())
        )

    async def FinishPasskeyRegistration(
        self, request: pb.FinishPasskeyRegistrationRequest, call: Call
    ) -> pb.FinishPasskeyRegistrationResponse:
        answer = registration_answer(request.credential)
        new, account = await self._registered(answer, call)
        repository = PasskeyRepository(call.db)
        present = await repository.list(account.id)
        name = request.name or await self._name(new, account, call)
        shown = authentication(call, synced=new.backup_eligible)
        added = await self.factors.add(METHOD, name, shown, call)
        row = Passkey(
            factor_id=added.factor.id,
            user_id=account.id,
            credential_id=new.credential_id,
            user_handle=user_handle(self.secrets, account.id, present),
            public_key=new.public_key,
            sign_count=new.sign_count,
            aaguid=new.aaguid,
            transports=answer.transports,
            backup_eligible=new.backup_eligible,
            backed_up=new.backed_up,
        )
        await repository.add(row)
        return pb.FinishPasskeyRegistrationResponse(
            passkey=messages.passkey(row, added.factor),
            recovery_codes=added.recovery_codes,
            signal=self._signal(account, [*present, row]),
        )

    async def GetRelatedOrigins(
        self, request: pb.GetRelatedOriginsRequest, call: Call
    ) -> pb.GetRelatedOriginsResponse:
        return pb.GetRelatedOriginsResponse(origins=self.site.web_origins)

    async def GetPasskeyEndpoints(
        self, request: pb.GetPasskeyEndpointsRequest, call: Call
    ) -> pb.GetPasskeyEndpointsResponse:
        return pb.GetPasskeyEndpointsResponse(
            enroll=self.site.enroll_url, manage=self.site.manage_url
        )

    async def _registered(
        self, answer: RegistrationAnswer, call: Call
    ) -> tuple[RegisteredPasskey, Account]:
        """The new passkey, if the answer to this session's challenge is good, which is used up.

        And whose it is: the account is locked, so that of two at once the second sees the first.
        """
        try:
            challenge = challenge_of(answer.client_data)
            self.challenges.require_valid(challenge, "registration", _session(call), call.now)
            new = registered(answer, self.site)
        except BrokenRuleError as error:
            raise PasskeyRegistrationInvalidError(rule=error.rule) from error
        account = await self.accounts.lock(call.db, call.user_id)
        if account is None:
            raise UnauthenticatedError
        await self.challenges.use(challenge, call)
        return new, account

    async def _name(self, new: RegisteredPasskey, account: Account, call: Call) -> str:
        taken = {factor.name for factor in await self.factors.of_person(account.id, call)}
        return new_name(new.aaguid, taken)

    def _signal(self, account: Account, rows: Sequence[Passkey]) -> passkey_pb2.PasskeySignal:
        handle = user_handle(self.secrets, account.id, rows)
        return messages.signal(self.site, account, handle, rows)

    async def _account(self, call: Call) -> Account:
        account = await self.accounts.load(call.user_id)
        if account is None:
            raise UnauthenticatedError
        return account


def _session(call: Call) -> str:
    """The session of the call, which a challenge for a new passkey is bound to."""
    if call.principal.session_id is None:
        raise UnauthenticatedError
    return str(call.principal.session_id)
