"""What the process asks the core: who may have a stream, and the events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
import structlog
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from portico.events.v1 import event_feed_service_pb2 as pb
from portico.events.v1.event_feed_service_pb2_grpc import EventFeedServiceStub
from portico.events.v1.event_service_pb2 import StreamEventsRequest

from edge.stream.refusals import UNAVAILABLE, Refusal, RefusedError, Violation, http_status

TIMEOUT_SECONDS = 6.0
# A restarted core is connected again within a second instead of minutes.
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)

log = structlog.get_logger("stream")

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for a stream, as the gateway says it."""

    access_token: str
    possession: str
    address: str
    request_id: str


class CoreClient:
    """The internal methods of the core."""

    def __init__(self, socket: Path, internal_token: str) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=OPTIONS)
        self._stub = EventFeedServiceStub(self._channel)
        self._credential = ("authorization", f"Bearer {internal_token}")

    async def close(self) -> None:
        """Lets the connection go."""
        await self._channel.close()

    async def admit(
        self, stream: StreamEventsRequest, caller: Caller
    ) -> pb.AdmitSubscriberResponse:
        """Whether a caller may have a stream, and where it starts.

        Raises:
            RefusedError: if they may not, or the core does not answer.
        """
        request = pb.AdmitSubscriberRequest(
            stream=stream, access_token=caller.access_token, possession=caller.possession
        )
        about = (("x-edge-address", caller.address), ("x-request-id", caller.request_id))
        return await self._call(
            self._stub.AdmitSubscriber, request, *(pair for pair in about if pair[1])
        )

    async def check(self, tickets: Sequence[bytes]) -> Sequence[pb.SubscriberDecision]:
        """Whether subscribers may still have their streams, in the order of the tickets."""
        request = pb.CheckSubscribersRequest(tickets=tickets)
        return (await self._call(self._stub.CheckSubscribers, request)).decisions

    async def read(self, ranges: Mapping[str, int]) -> Sequence[pb.EventPage]:
        """The next events of organizations, each after a number."""
        request = pb.ReadEventsRequest(
            ranges=[pb.EventRange(organization_id=one, after=n) for one, n in ranges.items()]
        )
        return (await self._call(self._stub.ReadEvents, request)).pages

    async def positions(self, organizations: Sequence[str]) -> Mapping[str, int]:
        """How many events organizations have had."""
        request = pb.GetEventPositionsRequest(organization_ids=organizations)
        answer = await self._call(self._stub.GetEventPositions, request)
        return dict(zip(organizations, answer.positions, strict=True))

    async def save_cursor(self, ticket: bytes, name: str, position: int) -> None:
        """Saves how far a subscriber has come."""
        request = pb.SaveSubscriberCursorRequest(ticket=ticket, name=name, position=position)
        await self._call(self._stub.SaveSubscriberCursor, request)

    async def _call(
        self,
        method: Callable[..., Awaitable[Answer]],
        request: Message,
        *about: tuple[str, str],
    ) -> Answer:
        try:
            return await method(
                request, metadata=(self._credential, *about), timeout=TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            refusal = read_error(error)
        if refusal.is_outage:
            log.warning("core_unavailable", code=refusal.code)
        raise RefusedError(refusal)


def read_error(error: grpc.aio.AioRpcError) -> Refusal:
    """What the core says; without google.rpc.Status it did not answer, or failed."""
    trailers = dict(error.trailing_metadata() or ())
    details = trailers.get("grpc-status-details-bin")
    if not isinstance(details, bytes):
        return UNAVAILABLE
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    status = status_pb2.Status.FromString(details)
    for detail in status.details:
        _unpack(detail, info, bad_request, retry)
    return Refusal(
        status=http_status(error.code().value[0]),
        code=info.reason or "INTERNAL",
        message=status.message,
        details=[
            Violation(_camel(each.field), each.reason, each.description)
            for each in bad_request.field_violations
        ],
        retry_after=retry.retry_delay.seconds,
        challenge=str(trailers.get("www-authenticate", "")),
    )


def _unpack(detail: Any, *messages: Any) -> None:
    for message in messages:
        if detail.Unpack(message):
            return


def _camel(path: str) -> str:
    """The name of a field as the client knows it: of the stream, in the spelling of JSON."""
    first, *rest = path.removeprefix("stream.").split("_")
    return first + "".join(part.capitalize() for part in rest)
