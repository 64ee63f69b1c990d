"""Holding on to a broker that may be away at any time, and for however long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger("broker")

RECONNECT_INTERVAL = 1.0  # seconds


def connect_patiently(connection: Any, every_second: Callable[[], None] | None = None) -> Any:
    """Connects to the broker, however long it takes, and soon after it is back.

    Celery's own way waits longer and longer, up to half a minute, and has a line
    in the log for each attempt.

    Args:
        connection: a kombu connection.
        every_second: called while it waits; may raise to end the waiting.

    Returns:
        The connection.
    """
    failures = 0

    def on_error(error: Exception, _interval: float) -> None:
        nonlocal failures
        if failures == 0:
            log.warning("broker_away", error=str(error)[:200])
        failures += 1

    connection.ensure_connection(
        on_error,
        max_retries=None,
        interval_start=RECONNECT_INTERVAL,
        interval_step=0,
        interval_max=RECONNECT_INTERVAL,
        callback=every_second,
    )
    if failures:
        log.info("broker_back", failures=failures)
    return connection
