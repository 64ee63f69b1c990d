"""What people could show beside what they have shown: one rule for whoever asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from portico_kit.assurance import Assurance, Authentication, reaching
from server.features.auth.ports import LinkedIdentities
from server.features.factors.facade import Factors
from server.features.users.facade import Account

PASSWORD = "password"  # noqa: S105 (the name of a method)
RECOVERY_CODE = "recovery_code"
FEDERATED = "federated"
# What a provider has shown that vouches for two factors.
FEDERATED_MFA = "federated_mfa"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Knows what a person has, of whatever kind."""

    factors: Factors
    identities: LinkedIdentities

    async def of(
        self, account: Account, shown: Sequence[Authentication], now: datetime
    ) -> Mapping[str, Authentication]:
        """What a person could show, by method: their factors, or else the password, or
        else a provider that knows them.

        Args:
            shown: what they have shown already. A provider that has vouched for two factors is
                taken at its word once more.
        """
        if account.has_second_factor:
            kinds = await self.factors.kinds(account.id)
            if await self.factors.has_recovery_codes(account.id):
                kinds = [*kinds, RECOVERY_CODE]
            return {kind: Authentication(kind, now) for kind in kinds}
        if account.password_hash is not None:
            return {PASSWORD: password_shown(account, now)}
        if await self.identities.can_sign_in_again(account.id):
            vouched = any(each.method == FEDERATED_MFA for each in shown)
            return {FEDERATED: Authentication(FEDERATED_MFA if vouched else FEDERATED, now)}
        return {}


def at_sign_in(
    candidates: Mapping[str, Authentication], shown: Sequence[Authentication]
) -> list[str]:
    """With what a person completes a sign-in, sorted.

    Recovery codes are for the day when the factors are lost: they alone do not keep somebody
    out whose factors make no second one of what was shown, as a code by mail after a password
    that was set by mail.
    """
    factors = {name: each for name, each in candidates.items() if name != RECOVERY_CODE}
    level = Assurance.AAL2 if reaching(factors, shown, Assurance.AAL2) else Assurance.AAL1
    return reaching(candidates, shown, level)


def in_session(
    account: Account,
    candidates: Mapping[str, Authentication],
    shown: Sequence[Authentication],
    asked: Assurance,
) -> list[str]:
    """What takes a person in a session to a level, and to the most that they can, sorted.

    Args:
        asked: what a method of the contract asks for; NONE for just the most.
    """
    most = account.has_second_factor and reaching(candidates, shown, Assurance.AAL2)
    level = Assurance.AAL2 if most else Assurance.AAL1
    return reaching(candidates, shown, max(level, asked))


def password_shown(account: Account, now: datetime) -> Authentication:
    """What the right password shows."""
    return Authentication(PASSWORD, now, "mail" if account.password_by_mail else "")
