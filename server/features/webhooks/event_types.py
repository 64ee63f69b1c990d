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
        permissions: the permission to read what the events of a type show, of types that
            belong to organizations.
        platform_permissions: the same of types that belong to none: permissions on the
            whole platform.
        operator_organization: the only one whose webhooks receive these; None for none.
    """

    descriptions: Mapping[str, str]
    permissions: Mapping[str, str]
    platform_permissions: Mapping[str, str]
    operator_organization: UUID | None

    def require_known(
        self, wanted: Iterable[str], organization_id: UUID, field: str = "event_types"
    ) -> None:
        """Refuses event types that never occur in the organization.

        Args:
            field: the list of the request that names them.

        Raises:
            InvalidRequestError: naming each of them by its place in the list.
        """
        violations = tuple(
            FieldViolation(f"{field}[{place}]", *problem)
            for place, name in enumerate(wanted)
            if (problem := self._problem(name, organization_id)) is not None
        )
        if violations:
            raise InvalidRequestError(violations=violations)

    def _problem(self, name: str, organization_id: UUID) -> tuple[str, str] | None:
        """Why an organization cannot subscribe to a type, as a reason and in words."""
        if name != ALL_EVENTS and name not in self.descriptions:
            return "EVENT_TYPE_UNKNOWN", "is not an event type"
        if name in self.platform_permissions and organization_id != self.operator_organization:
            return "EVENT_TYPE_OF_OPERATOR", "is only sent to webhooks of the platform's operator"
        return None

    def require_readable(
        self, subscribed: Iterable[str], organization_id: UUID, call: Call
    ) -> None:
        """Lets the caller act through a webhook only if they may read what its events show.

        Raises:
            PermissionsExceededError: naming the permissions that the caller lacks.
        """
        wanted = set(subscribed)
        platform = {self.platform_permissions[one] for one in wanted & {*self.platform_permissions}}
        call.require_held(organization_id, self._permissions(wanted), platform)

    def _permissions(self, wanted: set[str]) -> Iterable[str]:
        """What the events of these types show, as permissions in the organization."""
        if ALL_EVENTS in wanted:
            return self.permissions.values()
        return (self.permissions[name] for name in wanted & self.permissions.keys())
