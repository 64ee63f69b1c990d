"""The tasks that the kit itself asks the workers for, by the names that Celery knows."""

from __future__ import annotations

# Fans pending events out to deliveries, and sends those.
EVENT_TASK = "portico.events.fan_out"
