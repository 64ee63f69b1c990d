"""What the event types of the contract mean, for those who subscribe to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from portico_kit.call import Call
from portico_kit.errors import FieldViolation, InvalidRequestError
from server.features.webhooks.models import ALL_EVENTS

TEST_EVENT = "webhook.test"


@dataclass(frozen=True, slots=True)
class EventTypes:
    """What can be subscribed to.

    Attributes:
        descriptions: every event type with what it says; the features declare them.
        permissions: the permission to read what the events of a type show.
    """

    descriptions: Mapping[str, str]
    permissions: Mapping[str, str]

    def require_known(self, wanted: Iterable[str]) -> None:
        """Refuses event types that the contract does not know.

        Raises:
            InvalidRequestError: naming each of them by its place in the list.
        """
        known = {ALL_EVENTS, *self.descriptions}
        violations = tuple(
            FieldViolation(f"event_types[{place}]", "EVENT_TYPE_UNKNOWN", "is not an event type")
            for place, name in enumerate(wanted)
            if name not in known
        )
        if violations:
            raise InvalidRequestError(violations=violations)

    def require_readable(
        self, subscribed: Iterable[str], organization_id: UUID, call: Call
    ) -> None:
        """Lets the caller act through a webhook only if they may read what its events show.

        Raises:
            PermissionsExceededError: naming the permissions that the caller lacks.
        """
        call.require_held(organization_id, self.permissions_to_read(subscribed))

    def permissions_to_read(self, subscribed: Iterable[str]) -> frozenset[str]:
        """What the events of these types show, as the permissions that show the same."""
        wanted = set(subscribed)
        if ALL_EVENTS in wanted:
            return frozenset(self.permissions.values())
        return frozenset(self.permissions[name] for name in wanted & self.permissions.keys())
