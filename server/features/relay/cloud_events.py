"""Events as the bus has them: CloudEvents 1.0, their attributes beside their data.

The attributes are the same on every bus; how they are written down is the bus's own
(https://github.com/cloudevents/spec: the Kafka protocol binding, in binary mode).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

JSON = "application/json"
# Sequences are compared as text: they have as many digits as the largest.
SEQUENCE_DIGITS = 19


@dataclass(frozen=True, slots=True)
class RelayedEvent:
    """An event in its place among those of its organization.

    Attributes:
        data: the text of its JSON, the one that webhooks are sent; None if it is not for
            this bus.
    """

    organization_id: UUID
    sequence: int
    id: UUID
    type: str
    created_at: datetime
    data: str | None


def attributes(event: RelayedEvent, source: str) -> Mapping[str, str]:
    """The attributes of an event, by the names that CloudEvents gives them.

    `organizationid` is an extension of ours; `sequence` is the documented extension of that
    name: within an organization it goes up by one, and its text is in the order of its number.

    Args:
        source: the platform, as an absolute URI.
    """
    return {
        "specversion": "1.0",
        "id": str(event.id),
        "source": source,
        "type": event.type,
        "time": event.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "organizationid": str(event.organization_id),
        "sequence": f"{event.sequence:0{SEQUENCE_DIGITS}}",
    }
