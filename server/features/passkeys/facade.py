"""Passkeys for other features: shown in answer to a challenge, or alone at a sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.struct_pb2 import Struct

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from server.features.factors.facade import Factors
from server.features.factors.ports import Answer, FactorChallenge
from server.features.passkeys.ceremonies import BrokenRuleError, challenge_of, shown
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
METHOD, SYNCED_METHOD = "passkey", "synced_passkey"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose passkey has answered, and what that shows."""

    account: Account
    shown: Authentication


@dataclass(frozen=True, slots=True)
class Passkeys:
    """Asks for passkeys and checks what they answer; a `SecondFactor`, and more than that.

    A wrong answer is refused with what is wrong with it, and not counted: nobody guesses a
    signature, and who knows a password shall not get the person's passkeys locked.
    """

    site: RelyingParty
    factors: Factors
    accounts: Accounts
    challenges: Challenges

    @property
    def method(self) -> str:
        """The name of the method."""
        return METHOD

    async def options(self, challenge: FactorChallenge, call: Call) -> dict[str, Any]:
        """A PublicKeyCredentialRequestOptionsJSON for one of the person's passkeys.

        Stores nothing; each time that it is asked the challenge of the options is another.
        """
        accepted = await PasskeyRepository(call.db).list(challenge.account.id)
        asked = self.challenges.new("factor", str(challenge.id), call.now)
        return request_options(self.site, asked, accepted)

    async def check(self, challenge: FactorChallenge, answer: Answer, call: Call) -> Authentication:
        """What one of the person's passkeys shows, if it has answered what `options` asked.

        Raises:
            InvalidRequestError: if the credential is not in the form of WebAuthn.
            PasskeyChallengeInvalidError: if it answers another challenge, or one that has
                expired or was used.
            PasskeyUnknownError: if no account has the passkey.
            PasskeyInvalidError: if the answer is not good.
        """
        signed = signed_answer(answer.credential or {})
        user_id = challenge.account.id
        try:
            await self._require_challenge(signed, "factor", str(challenge.id), call)
            passkey = await self._find(signed, call)
            if passkey.user_id != user_id:
                raise BrokenRuleError("credential_id")
            if signed.user_handle not in (b"", passkey.user_handle):
                raise BrokenRuleError("user_handle")
            return await self._use(passkey, signed, call)
        except BrokenRuleError as error:
            details = {"method": METHOD, "rule": error.rule}
            call.record("factor.failed", target_id=user_id, details=details)
            raise PasskeyInvalidError(error.rule, user_id) from error

    def sign_in_options(self, call: Call) -> dict[str, Any]:
        """A PublicKeyCredentialRequestOptionsJSON for any passkey. Stores nothing."""
        return request_options(self.site, self.challenges.new("sign-in", "", call.now), ())

    async def sign_in(
        self, challenge: str, credential: Struct | Mapping[str, Any], call: Call
    ) -> SignedIn:
        """Whose passkey has answered what `sign_in_options` asked; the account is locked.

        Args:
            challenge: that of the options that this client got.

        Raises:
            InvalidRequestError, PasskeyChallengeInvalidError, PasskeyUnknownError,
            PasskeyInvalidError: see `check`.
        """
        signed = signed_answer(credential)
        await self._require_challenge(signed, "sign-in", "", call, expected=challenge)
        passkey = await self._find(signed, call)
        try:
            # Nobody has said before who it is, so the answer has to.
            if signed.user_handle != passkey.user_handle:
                raise BrokenRuleError("user_handle")
            authentication = await self._use(passkey, signed, call)
        except BrokenRuleError as error:
            raise PasskeyInvalidError(error.rule, passkey.user_id) from error
        account = await self.accounts.lock(call.db, passkey.user_id)
        if account is None:
            raise PasskeyUnknownError
        return SignedIn(account, authentication)

    async def _require_challenge(
        self,
        signed: SignedAnswer,
        ceremony: Ceremony,
        bound_to: str,
        call: Call,
        expected: str | None = None,
    ) -> None:
        try:
            challenge = challenge_of(signed.client_data)
        except BrokenRuleError as error:
            raise PasskeyChallengeInvalidError from error
        if expected is not None and decoded(expected) != challenge:
            raise PasskeyChallengeInvalidError
        self.challenges.require_valid(challenge, ceremony, bound_to, call.now)

    async def _find(self, signed: SignedAnswer, call: Call) -> Passkey:
        passkey = await PasskeyRepository(call.db).find(signed.credential_id)
        if passkey is None:
            raise PasskeyUnknownError
        return passkey

    async def _use(self, passkey: Passkey, signed: SignedAnswer, call: Call) -> Authentication:
        """What a good answer shows; its challenge is used up.

        The account is locked before the passkey, as everywhere, and nothing of both before
        the signature is good: strangers make nobody wait.
        """
        said = shown(
            signed,
            passkey.public_key,
            backup_eligible=passkey.backup_eligible,
            site=self.site,
        )
        await self.accounts.lock(call.db, passkey.user_id)
        locked = await PasskeyRepository(call.db).lock(passkey)
        if locked is None:
            raise PasskeyUnknownError
        await self.challenges.use(challenge_of(signed.client_data), call)
        note_shown(locked, said, call)
        await self.factors.note_use(locked.factor_id, call)
        return authentication(call, synced=locked.backup_eligible)


def authentication(call: Call, *, synced: bool) -> Authentication:
    """What a passkey shows that its person has unlocked.

    Args:
        synced: whether a provider may keep it for all of the person's devices.
    """
    return Authentication(SYNCED_METHOD if synced else METHOD, call.now)
