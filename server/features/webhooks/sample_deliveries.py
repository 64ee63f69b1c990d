"""Tests of webhooks: a delivery of what did not happen.

There is no event for it: nothing that reads events can mistake it for one, be it another
webhook, a replay or the event stream. So the delivery itself keeps what is posted.
"""

from __future__ import annotations

import json

from portico_contract import as_json
from portico_kit.call import Call
from portico_kit.ids import new_id
from server.features.webhooks import messages
from server.features.webhooks.event_documents import document_of
from server.features.webhooks.event_types import TEST_EVENT
from server.features.webhooks.models import Delivery, Webhook
from server.features.webhooks.payload import event_payload


def sample_delivery(event_type: str, webhook: Webhook, call: Call) -> Delivery:
    """The delivery of an example of an event type; "webhook.test" shows the webhook itself."""
    event_id = new_id()
    if event_type == TEST_EVENT:
        data = as_json(messages.redacted_webhook(webhook, call.now))
    else:
        data = document_of(event_type).example["data"]
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Delivery(
        id=new_id(),
        webhook_id=webhook.id,
        organization_id=webhook.organization_id,
        event_id=event_id,
        event_type=event_type,
        payload=event_payload(
            event_id, event_type, webhook.organization_id, call.now, text, test=True
        ),
        next_attempt_at=call.now,
    )
