"""One query for all who ask in the same tick of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Fetch = Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]


class BatchLoader(Generic[K, V]):
    """Collects the keys that are asked for in one tick and fetches them together.

    Requests that arrive at the same moment share a query; nothing is kept
    afterwards, so an answer is never older than the question.
    """

    def __init__(self, fetch: Fetch[K, V]) -> None:
        """Takes the query: it gets distinct keys and gives what it found, by key."""
        self._fetch = fetch
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def load(self, key: K) -> V | None:
        """What belongs to the key, or None if there is nothing.

        Raises:
            Exception: what the query raised, for everyone who waited for it.
        """
        future = self._waiting.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            if not self._waiting:
                loop.call_soon(self._dispatch)
            future = self._waiting[key] = loop.create_future()
        # Shielded: one caller that gives up must not take the answer from the others.
        return await asyncio.shield(future)

    def _dispatch(self) -> None:
        batch, self._waiting = self._waiting, {}
        task = asyncio.create_task(self._answer(batch))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer(self, batch: dict[K, asyncio.Future[V | None]]) -> None:
        try:
            found = await self._fetch(list(batch))
        except Exception as error:
            for future in batch.values():
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # seen, even if everyone who waited has left
            return
        for key, future in batch.items():
            if not future.done():
                future.set_result(found.get(key))
