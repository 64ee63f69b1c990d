"""What can be refused about webhooks and their deliveries."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class WebhookNotFoundError(DomainError):
    """There is no such webhook."""

    code = StatusCode.NOT_FOUND
    reason = "WEBHOOK_NOT_FOUND"


class DeliveryNotFoundError(DomainError):
    """There is no such delivery."""

    code = StatusCode.NOT_FOUND
    reason = "DELIVERY_NOT_FOUND"


class DeliveryPendingError(DomainError):
    """The delivery is still pending."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "DELIVERY_PENDING"


class DeliveryNotPendingError(DomainError):
    """The delivery has already ended."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "DELIVERY_NOT_PENDING"


class DeliveryInProgressError(DomainError):
    """An attempt is in progress; try again when it has ended."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "DELIVERY_IN_PROGRESS"


class DeliveryBlockedError(DomainError):
    """Another delivery of the ordered webhook goes first; retry or skip that one."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "DELIVERY_BLOCKED"


class EventTypeNotFoundError(DomainError):
    """There is no such event type."""

    code = StatusCode.NOT_FOUND
    reason = "EVENT_TYPE_NOT_FOUND"


class WebhookDisabledError(DomainError):
    """The webhook is disabled; enable it first."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "WEBHOOK_DISABLED"


class WebhookLimitReachedError(DomainError):
    """The organization has reached the number of webhooks that its tier allows."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "WEBHOOK_LIMIT_REACHED"


class ReplayNotFoundError(DomainError):
    """There is no such replay."""

    code = StatusCode.NOT_FOUND
    reason = "REPLAY_NOT_FOUND"


class ReplayRunningError(DomainError):
    """A replay of the webhook is running; wait for its end or cancel it first."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "REPLAY_RUNNING"


class ReplayEndedError(DomainError):
    """The replay has ended."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "REPLAY_ENDED"
