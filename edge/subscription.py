"""Listening to Valkey on a connection that may die without a sign."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from redis.asyncio.client import PubSub

# The server is asked to answer from time to time.
PING_SECONDS = 0.5
SILENCE_SECONDS = 2.0
# How long after a connection was lost the next one is tried.
RETRY_SECONDS = 0.25

log = structlog.get_logger("edge")


async def next_message(subscription: PubSub) -> dict[str, Any]:
    """The next message, an answered ping among them.

    Raises:
        TimeoutError: if the server has been silent for too long.
    """
    async with asyncio.timeout(SILENCE_SECONDS):
        while True:
            message: dict[str, Any] | None = await subscription.get_message(timeout=PING_SECONDS)
            if message is not None:
                return message
            await subscription.ping()


async def follow(listen: Callable[[], Awaitable[None]], lost: Callable[[], None]) -> None:
    """Listens, for ever; subscribes again whenever the connection is lost.

    Args:
        listen: listens on one connection, and returns only by an exception.
        lost: told each time that it does: from then on changes may be missed.
    """
    while True:
        try:
            await listen()
        except Exception as error:  # whatever it was, the next attempt may succeed
            log.warning("subscription_lost", error=type(error).__name__)
        finally:
            lost()
        await asyncio.sleep(RETRY_SECONDS)


async def end(listening: asyncio.Task[None]) -> None:
    """Ends a task that listens.

    It may have to be told more than once: redis-py loses a cancellation that comes
    while it connects.
    """
    while not listening.done():
        listening.cancel()
        await asyncio.wait([listening], timeout=RETRY_SECONDS)
