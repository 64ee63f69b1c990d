"""Sign-in with a passkey alone: the verbs."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from google.protobuf.json_format import ParseDict
from portico.passkeys.v1 import passkey_sign_in_service_pb2 as pb
from portico.passkeys.v1.passkey_pb2 import PasskeyRequestOptions

from portico_kit.call import Call
from server.features.auth import messages
from server.features.auth.devices import Devices
from server.features.auth.sign_in_completion import SignInCompletion
from server.features.passkeys.errors import PasskeyInvalidError, PasskeyUnknownError
from server.features.passkeys.facade import LIFETIME_SECONDS, Passkeys


@dataclass(frozen=True, slots=True)
class PasskeySignIn:
    """Serves portico.passkeys.v1.PasskeySignInService."""

    passkeys: Passkeys
    completion: SignInCompletion
    devices: Devices

    async def BeginPasskeySignIn(  # noqa: N802
        self, request: pb.BeginPasskeySignInRequest, call: Call
    ) -> pb.BeginPasskeySignInResponse:
        """Options for whatever passkey the person has."""
        options = self.passkeys.sign_in_options(call)
        return pb.BeginPasskeySignInResponse(
            challenge=options["challenge"],
            options=ParseDict(options, PasskeyRequestOptions()),
            expires_in=LIFETIME_SECONDS,
        )

    async def SignInWithPasskey(  # noqa: N802
        self, request: pb.SignInWithPasskeyRequest, call: Call
    ) -> pb.SignInWithPasskeyResponse:
        """Tokens for whoever's passkey has answered."""
        try:
            found = await self.passkeys.sign_in(request.challenge, request.credential, call)
        except PasskeyInvalidError as error:
            _record_failure(error.rule, error.user_id, call)
            raise
        except PasskeyUnknownError:
            _record_failure("unknown", None, call)
            raise
        device = self.devices.recognize(request.device_token)
        completed = await self.completion.complete(found.account, found.shown, device, call)
        return pb.SignInWithPasskeyResponse(**messages.completed_fields(completed))


def _record_failure(rule: str, user_id: UUID | None, call: Call) -> None:
    details = {"method": "passkey", "rule": rule}
    call.record("login.failed", target_id=user_id, details=details)
