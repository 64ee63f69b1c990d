"""The settings of a webhook that count when one of its deliveries is sent.

Most webhooks have none of their own; for these a claim carries one null and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from server.features.webhooks.signing_keys import V1


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """The settings.

    Attributes:
        retry_pauses: after failed attempts, in seconds; None for the standard schedule.
        timeout_seconds: of an attempt; None for what is usual.
        sealed_headers: of the webhook's own; None if it has none.
        signing: whether it is signed with the secret, the key pair or both.
        previous_key_expires_at: until when it is signed with the previous key, too.
    """

    retry_pauses: Sequence[int] | None = None
    timeout_seconds: int | None = None
    sealed_headers: bytes | None = None
    signing: str = V1
    sealed_private_key: bytes | None = None
    sealed_previous_private_key: bytes | None = None
    previous_key_expires_at: datetime | None = None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> DeliverySettings:
        """Reads what a claim selects of a webhook that has settings of its own."""
        expires_at = row["previous_key_expires_at"]
        return cls(
            retry_pauses=row["retry_pauses"],
            timeout_seconds=row["timeout_seconds"],
            sealed_headers=_bytes(row["sealed_headers"]),
            signing=row["signing"],
            sealed_private_key=_bytes(row["sealed_private_key"]),
            sealed_previous_private_key=_bytes(row["sealed_previous_private_key"]),
            previous_key_expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        )

    @property
    def longer_lease(self) -> timedelta:
        """How much longer than usual a claim lasts, so that it outlasts the attempt."""
        return timedelta(seconds=self.timeout_seconds or 0)


# Of a webhook that has none of its own.
USUAL = DeliverySettings()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)
