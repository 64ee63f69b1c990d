"""What the feature needs that is not a feature's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from portico.events.v1 import event_service_pb2 as pb

from portico_kit.call import Call, Client
from portico_kit.jwt import Claims


class Subscribers(Protocol):
    """Lets callers in that another process has met, by the rules of StreamEvents."""

    async def admit(
        self,
        request: pb.StreamEventsRequest,
        access_token: str,
        possession: str,
        client: Client,
        request_id: str,
    ) -> tuple[Call, Claims, Iterable[str]]:
        """What the call would have been with this token, what the token says, and the ids of
        what the access depends on.

        Args:
            possession: the seal of our edge, "" if there is none.

        Raises:
            DomainError: as for the call itself.
        """
        ...

    async def readmit(
        self, request: pb.StreamEventsRequest, claims: Claims, client: Client
    ) -> Call:
        """The same later, when the token may have expired.

        Raises:
            DomainError: if the caller may not have the stream any more.
        """
        ...
