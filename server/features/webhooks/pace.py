"""The limits and the order of a webhook, as callers set and see them."""

from __future__ import annotations

from portico.webhooks.v1 import webhook_service_pb2 as pb
from portico.webhooks.v1.webhook_pb2 import Delivery as DeliveryMessage

from portico_kit.call import Call
from portico_kit.changes import changed_fields
from portico_kit.errors import FieldViolation, InvalidRequestError, invalid
from server.features.webhooks import messages
from server.features.webhooks.models import BY_FIELD, BY_WEBHOOK, Delivery, Webhook
from server.features.webhooks.names import DELIVERY_TASK
from server.features.webhooks.ordering import (
    find_first,
    forget_pace,
    lock_for_reordering,
    reorder,
)

_LIMITS = {"max_per_second", "max_in_flight"}
_ORDER = {"ordering", "order_by"}


def require_order_by(ordering: str, order_by: str) -> None:
    """Refuses an order by a field without a field, and a field without such an order.

    Raises:
        InvalidRequestError: naming `order_by`.
    """
    if (ordering == BY_FIELD) == bool(order_by):
        return
    problem = (
        ("REQUIRED", 'is required if ordering is "field"')
        if ordering == BY_FIELD
        else ("NOT_ORDERED_BY_FIELD", 'is only accepted if ordering is "field"')
    )
    raise InvalidRequestError(violations=(FieldViolation("order_by", *problem),))


def require_one_order(webhook: Webhook) -> None:
    """Refuses one line for the events of all organizations, each of which has its own order.

    Raises:
        InvalidRequestError: naming `ordering`.
    """
    if webhook.all_organizations and webhook.ordering == BY_WEBHOOK:
        raise invalid(
            "ordering",
            "ORDERING_BY_ORGANIZATION",
            'must not be "webhook": each organization has an order of its own',
        )


async def change_pace(request: pb.UpdateWebhookRequest, webhook: Webhook, call: Call) -> None:
    """Gives a webhook the limits and the order that an update names.

    Raises:
        InvalidRequestError: naming `order_by`, as `require_order_by` does.
    """
    changed = changed_fields(request)
    if changed & _LIMITS:
        _change_limits(request, changed, webhook)
        await forget_pace(call.db, webhook.id)
    if changed & _ORDER:
        await _change_order(request, changed, webhook, call)
    if changed & (_LIMITS | _ORDER):
        # What waited may go now.
        call.tasks.add(DELIVERY_TASK)


def _change_limits(
    request: pb.UpdateWebhookRequest, changed: frozenset[str], webhook: Webhook
) -> None:
    if "max_per_second" in changed:
        webhook.max_per_second = request.max_per_second or None
    if "max_in_flight" in changed:
        webhook.max_in_flight = request.max_in_flight or None


async def _change_order(
    request: pb.UpdateWebhookRequest, changed: frozenset[str], webhook: Webhook, call: Call
) -> None:
    ordering = request.ordering if "ordering" in changed else webhook.ordering
    kept = webhook.order_by if ordering == BY_FIELD else ""
    order_by = request.order_by if "order_by" in changed else kept
    require_order_by(ordering, order_by)
    if (ordering, order_by) == (webhook.ordering, webhook.order_by):
        return
    await lock_for_reordering(call.db, webhook.id)
    webhook.ordering, webhook.order_by = ordering, order_by
    require_one_order(webhook)
    await call.db.flush()
    await reorder(call.db, webhook.id, call.now)


async def show_what_it_waits_for(shown: DeliveryMessage, delivery: Delivery, call: Call) -> None:
    """Adds to the message for a delivery what it waits for, if it does."""
    if delivery.blocked:
        first = await find_first(call.db, delivery)
        shown.blocked_by = str(first or "")
    elif delivery.held_back(call.now):
        webhook = await call.db.get_one(Webhook, delivery.webhook_id)
        shown.waiting_for = messages.waiting_for(delivery, webhook, call.now)
