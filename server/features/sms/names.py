"""The task of the feature, by the name that Celery knows."""

from __future__ import annotations

# Sends the text messages that are due.
SMS_TASK = "portico.sms.send_due"
