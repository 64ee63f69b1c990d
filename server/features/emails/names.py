"""The task of the feature, by the name that Celery knows."""

from __future__ import annotations

# Sends the mails that are due.
EMAIL_TASK = "portico.emails.send_due"
