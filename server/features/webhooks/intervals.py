"""From when to when, as requests say it."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.message import Message

from portico_kit.clock import moment
from portico_kit.errors import invalid


def requested_moment(request: Message, field: str) -> datetime | None:
    """The time in a field of a request; None if it is not set.

    Raises:
        InvalidRequestError: if no calendar has such a time; over gRPC there are such numbers.
    """
    if not request.HasField(field):
        return None
    try:
        return moment(getattr(request, field))
    except (ValueError, OverflowError):
        raise invalid(field, "TIMESTAMP_INVALID", "is not a time") from None
