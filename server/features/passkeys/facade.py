"""Passkeys for other features: shown in answer to a challenge, or alone at a sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from google.protobuf.struct_pb2 import Struct

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from portico_kit.errors import InvalidRequestError
from portico_kit.secrets import Secrets
from server.features.factors.facade import Factors
from server.features.factors.ports import Answer, FactorChallenge
from server.features.passkeys.ceremonies import BrokenRuleError, ShownPasskey, challenge_of, shown
from server.features.passkeys.challenges import LIFETIME, Ceremony, Challenges
from server.features.passkeys.counting import note_shown
from server.features.passkeys.credentials import SignedAnswer, decoded, signed_answer
from server.features.passkeys.errors import (
    PasskeyChallengeInvalidError,
    PasskeyInvalidError,
    PasskeyUnknownError,
)
from server.features.passkeys.models import Passkey
from server.features.passkeys.options import request_options
from server.features.passkeys.relying_party import RelyingParty
from server.features.passkeys.repository import PasskeyRepository
from server.features.users.facade import Account, Accounts

LIFETIME_SECONDS = int(LIFETIME.total_seconds())


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose passkey has answered, and what that shows."""

    account: Account
    shown: Authentication


@dataclass(frozen=True, slots=True)
class Passkeys:
    """Asks for passkeys and checks what they answer. Implements `SecondFactor`."""

    site: RelyingParty
    factors: Factors
    accounts: Accounts
    secrets: Secrets

    @property
    def method(self) -> str:
        """The name of the method."""
        return "passkey"

    async def options(self, challenge: FactorChallenge, call: Call) -> dict[str, Any]:
        """A PublicKeyCredentialRequestOptionsJSON for one of the person's passkeys."""
        accepted = await PasskeyRepository(call.db).list(challenge.account.id)
        asked = self._challenges.new("factor", str(challenge.id), call.now)
        return request_options(self.site, asked, accepted)

    async def check(
        self, challenge: FactorChallenge, answer: Answer, call: Call
    ) -> Authentication | None:
        """Whether one of the person's passkeys has answered what `options` asked."""
        try:
            signed = signed_answer(answer.credential or {})
            passkey = await self._check(signed, "factor", str(challenge.id), call)
            if passkey.user_id != challenge.account.id:
                return None
            if signed.user_handle not in (b"", passkey.user_handle):
                return None
            return await self._use(passkey, signed, call)
        except (
            InvalidRequestError,
            PasskeyChallengeInvalidError,
            PasskeyInvalidError,
            PasskeyUnknownError,
        ):
            return None

    def sign_in_options(self, call: Call) -> dict[str, Any]:
        """A PublicKeyCredentialRequestOptionsJSON for any passkey. Stores nothing."""
        return request_options(self.site, self._challenges.new("sign-in", "", call.now), ())

    async def sign_in(
        self, challenge: str, credential: Struct | Mapping[str, Any], call: Call
    ) -> SignedIn:
        """Whose passkey has answered what `sign_in_options` asked.

        Args:
            challenge: that of the options that this client got.

        Raises:
            InvalidRequestError: if the credential is not in the form of WebAuthn.
            PasskeyChallengeInvalidError: if it answers another challenge, or one that has
                expired or was used.
            PasskeyUnknownError: if no account has the passkey.
            PasskeyInvalidError: if the answer is not good.
        """
        signed = signed_answer(credential)
        if decoded(challenge) != _challenge(signed):
            raise PasskeyChallengeInvalidError
        passkey = await self._check(signed, "sign-in", "", call)
        # The person is not known before, so the answer has to say who it is.
        if signed.user_handle != passkey.user_handle:
            raise refused("user_handle", passkey.user_id, call)
        return await self._signed_in(passkey, signed, call)

    async def _signed_in(self, passkey: Passkey, signed: SignedAnswer, call: Call) -> SignedIn:
        shown_now = await self._use(passkey, signed, call)
        account = await self.accounts.lock(call.db, passkey.user_id)
        if account is None:
            raise PasskeyUnknownError
        return SignedIn(account, shown_now)
