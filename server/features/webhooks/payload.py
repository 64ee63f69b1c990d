"""What is posted for an event: the JSON text, made from the event each time that it is sent.

The text is the same each time, so that it is stored nowhere: the database gives the data
of an event as text, in an order of its own that never changes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID


def event_payload(
    event_id: UUID, event_type: str, organization_id: UUID, created_at: datetime, data: str
) -> str:
    """The JSON text that is posted for an event, of the form that Standard Webhooks suggests.

    Args:
        data: the event's data as the text of its JSON.
    """
    timestamp = created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return (
        f'{{"type":{json.dumps(event_type)},"timestamp":"{timestamp}","id":"{event_id}",'
        f'"organizationId":"{organization_id}","data":{data}}}'
    )
