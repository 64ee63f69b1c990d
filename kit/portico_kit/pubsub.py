"""Listening to Valkey's Pub/Sub on a connection that may be lost without notice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from redis.asyncio.client import PubSub

# How often the server is asked for a sign of life.
PING_SECONDS = 0.5
# The longest silence of the server before the connection counts as lost.
SILENCE_SECONDS = 2.0
# The pause before the next connection.
RETRY_SECONDS = 0.25

log = structlog.get_logger("pubsub")


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


async def listen_forever(
    listen: Callable[[], Awaitable[None]], on_disconnected: Callable[[], None]
) -> None:
    """Listens until it is cancelled; subscribes again whenever the connection is lost.

    Args:
        listen: listens on one connection, and returns only by an exception.
        on_disconnected: called each time that it does: messages may be missed from then on.
    """
    while True:
        try:
            await listen()
        except Exception as error:  # whatever it was, the next attempt may succeed
            log.warning("subscription_lost", error=type(error).__name__)
        finally:
            on_disconnected()
        await asyncio.sleep(RETRY_SECONDS)
