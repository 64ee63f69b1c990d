"""The edge's connection to Valkey (or Redis)."""

from __future__ import annotations

from typing import Any

import redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.retry import Retry as BlockingRetry

CONNECTIONS = 32


def connect(url: str, timeout_seconds: float) -> Redis:
    """A client that gives up in time and never sends a command twice.

    A command whose answer was lost may have been carried out: sending it again
    would charge a caller twice.

    Args:
        url: redis://host:port/db or unix:///path.
        timeout_seconds: the longest wait for a connection, and for an answer.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        **_options(timeout_seconds),
    )
    return Redis.from_pool(pool)


def pool(url: str, timeout_seconds: float) -> redis.ConnectionPool:
    """Blocking connections with the same options; the arguments are those of `connect`."""
    return redis.ConnectionPool.from_url(
        url, retry=BlockingRetry(NoBackoff(), 0), **_options(timeout_seconds)
    )


def _options(timeout_seconds: float) -> dict[str, Any]:
    return {
        "socket_connect_timeout": timeout_seconds,
        "socket_timeout": timeout_seconds,
        # RESP3 would let the server push notices that nothing here reads.
        "protocol": 2,
    }
