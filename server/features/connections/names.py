"""The task of the feature, by the name that Celery knows."""

from __future__ import annotations

# Takes back registrations that no connection rests on, and renews secrets that expire.
REGISTRATIONS_TASK = "portico.connections.keep_registrations"
