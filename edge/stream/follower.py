"""What every subscriber has, however its events are written."""

from __future__ import annotations

from abc import ABC, abstractmethod

from portico.events.v1 import event_feed_service_pb2 as pb

from edge.stream.channel import StreamedEvent
from edge.stream.refusals import Refusal


class Follower(ABC):
    """Follows the events of an organization for somebody who was admitted.

    Attributes:
        position: the number of the event that it has passed last.
        said: the position that the client knows.
        types: the event types that it is shown.
        ticket: by which the core knows it.
        ends_at: when it has lasted long enough, by the clock of the loop.
    """

    __slots__ = ("ends_at", "organization_id", "position", "said", "ticket", "types")

    def __init__(
        self,
        organization_id: str,
        admitted: pb.AdmitSubscriberResponse,
        types: frozenset[str],
        ends_at: float,
    ) -> None:
        self.organization_id = organization_id
        self.position = self.said = admitted.position
        self.types = types
        self.ticket: bytes = admitted.ticket
        self.ends_at = ends_at

    @property
    @abstractmethod
    def is_paused(self) -> bool:
        """Whether it takes nothing at this moment."""

    @abstractmethod
    def write_event(self, event: StreamedEvent) -> None:
        """Gives an event out."""

    @abstractmethod
    def write_reset(self, position: int) -> None:
        """Says that events up to a position are no longer stored."""

    @abstractmethod
    def beat(self, now: float) -> None:
        """Shows that the stream is alive, and how far it has come."""

    @abstractmethod
    def end(self, refusal: Refusal) -> None:
        """Ends the stream with a word; its connection says when it is over."""
