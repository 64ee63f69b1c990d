"""What the event types of the contract mean, for those who subscribe to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from portico.webhooks.v1.webhook_pb2 import EventType

from portico_kit.call import Call
from portico_kit.errors import FieldViolation, InvalidRequestError
from server.features.webhooks.event_documents import document_of
from server.features.webhooks.models import ALL_EVENTS, Webhook

# Who may appoint an owner of any organization may read what happens in it.
ALL_ORGANIZATIONS = "organizations:write"
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

    def require_type(self, name: str, organization_id: UUID) -> None:
        """Refuses an event type that never occurs in the organization.

        Raises:
            InvalidRequestError: naming the field `event_type`.
        """
        problem = self._problem(name, organization_id)
        if problem is not None:
            raise InvalidRequestError(violations=(FieldViolation("event_type", *problem),))

    def _problem(self, name: str, organization_id: UUID) -> tuple[str, str] | None:
        """Why an organization cannot subscribe to a type, as a reason and in words."""
        if name != ALL_EVENTS and name not in self.descriptions:
            return "EVENT_TYPE_UNKNOWN", "is not an event type"
        if name in self.platform_permissions and organization_id != self.operator_organization:
            return "EVENT_TYPE_OF_OPERATOR", "is only sent to webhooks of the platform's operator"
        return None

    def require_operator(self, organization_id: UUID) -> None:
        """Refuses a webhook for all organizations outside of the operator's own.

        Raises:
            InvalidRequestError: if the organization is another one.
        """
        if organization_id != self.operator_organization:
            problem = "ALL_ORGANIZATIONS_OF_OPERATOR", "is only for the platform's operator"
            raise InvalidRequestError(violations=(FieldViolation("all_organizations", *problem),))

    def require_usable(self, webhook: Webhook, subscribed: Iterable[str], call: Call) -> None:
        """The same as `require_readable` for a webhook, which may be for all organizations."""
        if webhook.all_organizations:
            call.require_held(webhook.organization_id, (), (ALL_ORGANIZATIONS,))
        self.require_readable(subscribed, webhook.organization_id, call)

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

    def readable(self, organization_id: UUID, call: Call) -> frozenset[str]:
        """The event types of an organization that the caller may read; a test is none."""
        held = call.permissions(organization_id)
        names = {name for name, needed in self.permissions.items() if needed in held}
        if organization_id == self.operator_organization:
            held = call.platform_permissions
            names |= {name for name, needed in self.platform_permissions.items() if needed in held}
        return frozenset(names - {TEST_EVENT})

    def shown(self, name: str) -> EventType:
        """An event type as lists show it."""
        return EventType(
            name=name,
            description=self.descriptions[name],
            permission=self.permissions.get(name, ""),
            platform_permission=self.platform_permissions.get(name, ""),
            version=document_of(name).version,
        )

    def _permissions(self, wanted: set[str]) -> Iterable[str]:
        """What the events of these types show, as permissions in the organization."""
        if ALL_EVENTS in wanted:
            return self.permissions.values()
        return (self.permissions[name] for name in wanted & self.permissions.keys())
