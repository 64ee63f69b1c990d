"""What a passkey's count tells: one that goes back may have been copied."""

from __future__ import annotations

from prometheus_client import Counter

from portico_kit.call import Call
from server.features.passkeys.ceremonies import ShownPasskey
from server.features.passkeys.models import Passkey

_METRIC = "portico_passkey_count_went_back_total"
WENT_BACK = Counter(
    _METRIC, "Answers of passkeys whose count of signatures was not higher than before."
)


def note_shown(passkey: Passkey, shown: ShownPasskey, call: Call) -> None:
    """Keeps what a locked passkey says of itself.

    A count that goes back is recorded, and locks nobody out: providers that copy passkeys do
    not count, and a restored one may begin again. From here on the new count is what the
    next one is held against, so that a copy is seen each time that the two take turns.
    """
    if _went_back(passkey.sign_count, shown.sign_count):
        WENT_BACK.inc()
        call.record(
            "passkey.count_went_back",
            target_id=passkey.factor_id,
            details={
                "userId": str(passkey.user_id),
                "before": passkey.sign_count,
                "now": shown.sign_count,
            },
        )
    passkey.sign_count = shown.sign_count
    passkey.backed_up = shown.backed_up


def _went_back(before: int, now: int) -> bool:
    """As WebAuthn level 3, section 7.2, step 22 has it: two zeros are no count at all."""
    return (before > 0 or now > 0) and now <= before
