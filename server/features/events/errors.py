"""What can be refused about events."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class StreamLimitReachedError(DomainError):
    """The organization has as many event streams as its tier allows."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "STREAM_LIMIT_REACHED"


class EventCursorLimitReachedError(DomainError):
    """The caller has as many event cursors in the organization as it can have."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "EVENT_CURSOR_LIMIT_REACHED"
