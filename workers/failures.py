"""What a worker does when a job fails: it says so and goes on; the next sweep tries again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

log = structlog.get_logger("workers")

# The database or Valkey is down. One line says it; a stack trace would say no more.
OUTAGES = (OperationalError, InterfaceError, PoolTimeoutError, RedisError, OSError)


@contextmanager
def quiet_failure(event: str, **facts: str) -> Iterator[None]:
    """Logs what goes wrong inside, and lets nothing out.

    Args:
        event: how the log names the failure.
        facts: what else the log says.
    """
    try:
        yield
    except OUTAGES as error:
        log.warning(event, outage=type(error).__name__, **facts)
    except Exception:
        log.exception(event, **facts)
