"""Which events somebody sees: the types that they ask for and may read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from portico_kit.call import Call
from server.features.webhooks.event_types import EventTypes

# Asks for every type that belongs to the organization.
ALL = "*"


@dataclass(frozen=True, slots=True)
class Selection:
    """What is shown of the events of an organization.

    Attributes:
        types: the event types; those that belong to no organization are among them only if
            they were named.
    """

    types: frozenset[str]

    def takes(self, event_type: str) -> bool:
        """Whether an event is shown. A filter by what it says would look here, too."""
        return event_type in self.types


def select_readable(
    asked: Sequence[str], organization_id: UUID, event_types: EventTypes, call: Call
) -> Selection:
    """What the caller is shown of the types that they ask for.

    Args:
        asked: names of types, and "*"; none at all asks for the same.

    Raises:
        InvalidRequestError: if a named type does not occur in the organization.
        PermissionsExceededError: if the caller may not read a named type.
    """
    named = frozenset(asked) - {ALL}
    event_types.require_known(asked, organization_id, "types")
    event_types.require_readable(named, organization_id, call)
    if named and ALL not in asked:
        return Selection(named)
    held = call.permissions(organization_id)
    readable = {name for name, needed in event_types.permissions.items() if needed in held}
    return Selection(named | readable)


class CurrentSelection:
    """What is shown on a stream, as the caller's rights are whenever they are looked up again."""

    def __init__(
        self, asked: Sequence[str], organization_id: UUID, event_types: EventTypes, call: Call
    ) -> None:
        """Takes what `select_readable` does, and raises the same."""
        self._arguments = (asked, organization_id, event_types, call)
        self._call = call
        self._select()

    def takes(self, event_type: str) -> bool:
        """Whether an event is shown now.

        Raises:
            PermissionsExceededError: if the caller may not read a named type any more.
        """
        if self._call.grants is not self._grants:
            self._select()
        return self._selection.takes(event_type)

    def _select(self) -> None:
        self._grants = self._call.grants
        self._selection = select_readable(*self._arguments)
