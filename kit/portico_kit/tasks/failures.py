"""What a worker does when a job fails: it says so and goes on; the next sweep tries again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from redis.exceptions import RedisError

from portico_kit.storage.base import database_unavailable

log = structlog.get_logger("workers")

# Valkey or the network is down; the database has more ways. One line says it; a stack trace
# would say no more.
OUTAGES = (RedisError, OSError)


@contextmanager
def log_failures(event: str, **facts: str) -> Iterator[None]:
    """Logs what goes wrong inside, and lets nothing out.

    Args:
        event: how the log names the failure.
        facts: what else the log says.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OUTAGES) or database_unavailable(error):
            log.warning(event, outage=type(error).__name__, **facts)
        else:
            log.exception(event, **facts)
