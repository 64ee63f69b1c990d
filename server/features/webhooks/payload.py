"""What is posted for an event: the JSON text, made from the event each time that it is sent.

The text is the same each time, so that it is stored nowhere: the database gives the data
of an event as text, in an order of its own that never changes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from server.common.records import Event


def event_payload(
    event_id: UUID,
    event_type: str,
    organization_id: UUID,
    created_at: datetime,
    data: str,
    *,
    test: bool = False,
) -> str:
    """The JSON text that is posted for an event, of the form that Standard Webhooks suggests.

    It is what `portico.webhooks.v1.WebhookPayload` describes.

    Args:
        data: the event's data as the text of its JSON.
        test: whether it did not happen, and somebody tests a webhook.
    """
    mark = ',"test":true' if test else ""
    return (
        f'{{"type":{json.dumps(event_type)},"timestamp":"{_timestamp(created_at)}",'
        f'"id":"{event_id}","organizationId":"{organization_id}","data":{data}{mark}}}'
    )


def event_json(event: Event) -> dict[str, Any]:
    """The same as Python has it, for filters."""
    return {
        "type": event.type,
        "timestamp": _timestamp(event.created_at),
        "id": str(event.id),
        "organizationId": str(event.organization_id),
        "data": event.data,
    }


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
