"""The tasks that the core may ask the workers for, by the names that Celery knows."""

from __future__ import annotations

# Fans pending events out to deliveries, and sends those.
EVENT_TASK = "portico.events.fan_out"
# Sends the deliveries that are due.
DELIVERY_TASK = "portico.webhooks.deliver_due"
# Sends the mails that are due.
EMAIL_TASK = "portico.emails.send_due"
