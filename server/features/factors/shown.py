"""The factors that this feature keeps itself, shown in answer to a challenge."""

from __future__ import annotations

from dataclasses import dataclass

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from portico_kit.secrets import Secrets
from server.features.factors.facade import Factors
from server.features.factors.ports import Answer, FactorChallenge
from server.features.factors.repository import FactorRepository
from server.features.factors.totp import Totp

SECRET_PURPOSE = "totp-secret"  # noqa: S105 (the name of a purpose)


@dataclass(frozen=True, slots=True)
class AuthenticatorApps:
    """Codes of apps. A code is good once."""

    factors: Factors
    secrets: Secrets

    @property
    def method(self) -> str:
        """The name of the method."""
        return "totp"

    async def check(
        self, challenge: FactorChallenge, answer: Answer, call: Call
    ) -> Authentication | None:
        """Whether one of the person's apps shows the code, and it was not used before."""
        repository = FactorRepository(call.db)
        for stored in await repository.totp_secrets(challenge.account.id):
            totp = Totp(self.secrets.unseal(SECRET_PURPOSE, stored.sealed_secret))
            step = totp.step(answer.code, call.now)
            if step is not None and await repository.use_step(stored.factor_id, step):
                await self.factors.note_use(stored.factor_id, call)
                return Authentication(self.method, call.now)
        return None


@dataclass(frozen=True, slots=True)
class RecoveryCodes:
    """Codes from the sheet of paper."""

    factors: Factors

    @property
    def method(self) -> str:
        """The name of the method."""
        return "recovery_code"

    async def check(
        self, challenge: FactorChallenge, answer: Answer, call: Call
    ) -> Authentication | None:
        """Whether the code is one of the person's; it is used up then."""
        if not await self.factors.use_recovery_code(challenge.account, answer.code, call):
            return None
        return Authentication(self.method, call.now)
