"""Holding on to a broker that may be away at any time, and for however long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from redis.exceptions import ResponseError

log = structlog.get_logger("broker")

RECONNECT_INTERVAL = 1.0  # seconds
# Written to see whether writes are taken, and gone soon after; Celery's prefix is added.
PROBE = "probe"
PROBE_EXPIRES = 10  # seconds


def connect_patiently(connection: Any, every_second: Callable[[], None] | None = None) -> Any:
    """Connects to the broker, however long it takes, and soon after it is back.

    A broker that takes no writes is away, too (READONLY after a fail-over, NOREPLICAS,
    MISCONF of a full disk): waiting for a message is a write, and would fail again at
    once. Celery's own way waits longer and longer, up to half a minute, and has a line
    in the log for each attempt.

    Args:
        connection: a kombu connection.
        every_second: called while it waits; may raise to end the waiting.

    Returns:
        The connection.
    """
    failures = 0

    def on_error(error: Exception, _interval: float = 0) -> None:
        nonlocal failures
        if failures == 0:
            log.warning("broker_away", error=str(error)[:200])
        failures += 1

    while True:
        connection.ensure_connection(
            on_error,
            max_retries=None,
            interval_start=RECONNECT_INTERVAL,
            interval_step=0,
            interval_max=RECONNECT_INTERVAL,
            callback=every_second,
        )
        refusal = _refusal_of_writes(connection)
        if refusal is None:
            break
        on_error(refusal)
        if every_second is not None:
            every_second()
        time.sleep(RECONNECT_INTERVAL)
    if failures:
        log.info("broker_back", failures=failures)
    return connection


def _refusal_of_writes(connection: Any) -> Exception | None:
    """Why the broker takes no writes, or None if it does."""
    try:
        connection.default_channel.client.set(PROBE, "1", ex=PROBE_EXPIRES)
    except ResponseError as refusal:
        return refusal
    except connection.connection_errors as lost:
        # The next attempt begins with a connection of its own.
        connection.collect()
        failure: Exception = lost
        return failure
    return None
