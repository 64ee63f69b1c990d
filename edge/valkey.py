"""The edge's connection to Valkey (or Redis)."""

from __future__ import annotations

from typing import Any

import redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.retry import Retry as BlockingRetry

CONNECTIONS = 32


def connect(url: str, timeout: float) -> Redis:
    """A client that gives up in time and never sends a command twice.

    A command whose answer was lost may have been carried out: sending it again
    would charge a caller twice.

    Args:
        url: redis://host:port/db or unix:///path.
        timeout: seconds to wait for a connection, and for an answer.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        **_options(timeout),
    )
    return Redis.from_pool(pool)


def pool(url: str, timeout: float) -> redis.ConnectionPool:
    """Connections for a thread that has nothing else to do while it waits; alike otherwise."""
    return redis.ConnectionPool.from_url(
        url, retry=BlockingRetry(NoBackoff(), 0), **_options(timeout)
    )


def _options(timeout: float) -> dict[str, Any]:
    return {
        "socket_connect_timeout": timeout,
        "socket_timeout": timeout,
        # RESP3 would let the server push notices that nothing here reads.
        "protocol": 2,
    }
