"""How a worker holds on to its broker, and how it shows that it does."""

from __future__ import annotations

from typing import Any

import structlog
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

log = structlog.get_logger("broker")

RECONNECT_INTERVAL = 1.0  # seconds


def connect_patiently(connection: Any) -> Any:
    """Connects to the broker, however long it takes, and soon after it is back.

    Celery's own way waits longer and longer, up to half a minute.
    """
    outage: list[Exception] = []

    def on_error(error: Exception, _interval: float) -> None:
        if not outage:
            log.warning("broker_away", error=str(error)[:200])
        outage.append(error)

    connection.ensure_connection(
        on_error,
        max_retries=None,
        interval_start=RECONNECT_INTERVAL,
        interval_step=0,
        interval_max=RECONNECT_INTERVAL,
        callback=maybe_shutdown,
    )
    if outage:
        log.info("broker_back", attempts=len(outage))
    return connection


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer, for a broker that may be away at any time and for however long."""

    def ensure_connected(self, conn: Any) -> Any:
        """Waits until the broker answers; a stop of the worker ends the waiting."""
        connect_patiently(conn)
        self.first_connection_attempt = False
        return conn
