"""The time, handed in by the constructor so that tests bring their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

Clock = Callable[[], datetime]

_EPOCH = datetime.fromtimestamp(0, UTC)
_SECOND = timedelta(seconds=1)


def utc_now() -> datetime:
    """Now, with the time zone UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime | None) -> Timestamp | None:
    """The wire form of a moment; None stays None, which leaves a field unset."""
    if moment is None:
        return None
    # Thrice as fast as FromDatetime, and every message has several.
    whole, rest = divmod(moment - _EPOCH, _SECOND)
    return Timestamp(seconds=whole, nanos=rest.microseconds * 1000)


def moment(message: Timestamp) -> datetime:
    """The moment that a wire timestamp names, in UTC."""
    return message.ToDatetime(tzinfo=UTC)


def requested_moment(request: Message, field: str) -> datetime | None:
    """The moment in a field of a request that was validated; None if it is not set."""
    return moment(getattr(request, field)) if request.HasField(field) else None
