"""What a bus can do for the relay."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from server.features.relay.cloud_events import RelayedEvent


class BusError(Exception):
    """The bus does not take events now, or does not say that it did; the message says why."""


class Bus(Protocol):
    """Where events are carried to. One that has failed is closed, and opened again.

    Attributes:
        name: the bus and its topic or stream; what it has is remembered under this name.
    """

    name: str

    async def open(self) -> None:
        """Connects.

        Raises:
            BusError: if events cannot be sent there.
        """
        ...

    async def send(self, events: Sequence[RelayedEvent]) -> Collection[UUID]:
        """Sends events, those of an organization in their order, and waits until it has them.

        Returns:
            The ids of those that are there, or never can be. The rest did not fit in: of an
            organization it is always the last ones.

        Raises:
            BusError: if it is not known which of them are there.
        """
        ...

    async def settle(self) -> None:
        """Waits until what was sent survives a crash of the bus.

        Raises:
            BusError: if it does not say so in time.
        """
        ...

    async def close(self) -> None:
        """Ends the connections. What was not confirmed may be there or not."""
        ...
