"""One query for all who ask at the same moment."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Fetch = Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]


# While so many queries of a loader run, further keys wait and go together: the more
# there is to do, the less each costs.
QUERIES_AT_ONCE = 2
LARGEST_BATCH = 500


class BatchLoader(Generic[K, V]):
    """Collects the keys that are asked for in one tick of the loop and fetches them together.

    Requests that arrive at the same moment share a query; nothing is kept
    afterwards, so an answer is never older than the question.
    """

    def __init__(self, fetch: Fetch[K, V], largest_batch: int = LARGEST_BATCH) -> None:
        """Takes the query: it gets distinct keys and gives what it found, by key."""
        self._fetch = fetch
        self._largest_batch = largest_batch
        self._waiting: dict[K, list[asyncio.Future[V | None]]] = {}
        self._scheduled = False
        self._running: set[asyncio.Task[None]] = set()

    async def load(self, key: K) -> V | None:
        """What belongs to the key, or None if there is nothing.

        Raises:
            Exception: what the query raised, for everyone who waited for it.
        """
        return await self._answered(key)

    async def load_all(self, keys: Iterable[K]) -> dict[K, V]:
        """What belongs to the keys; one to which nothing belongs is left out.

        Raises:
            Exception: what a query raised.
        """
        distinct = list(dict.fromkeys(keys))
        found = await asyncio.gather(*(self._answered(key) for key in distinct))
        return {key: one for key, one in zip(distinct, found, strict=True) if one is not None}

    def _answered(self, key: K) -> asyncio.Future[V | None]:
        # A future for each caller: one that gives up takes the answer from nobody else.
        future: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = [future]
            self._schedule()
        else:
            waiting.append(future)
        return future

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled and len(self._running) < QUERIES_AT_ONCE:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._scheduled = False
        keys = list(itertools.islice(self._waiting, self._largest_batch))
        task = asyncio.create_task(self._answer({key: self._waiting.pop(key) for key in keys}))
        self._running.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._schedule()

    async def _answer(self, batch: dict[K, list[asyncio.Future[V | None]]]) -> None:
        try:
            found = await self._fetch(list(batch))
        except Exception as error:
            for future in _unanswered(*batch.values()):
                future.set_exception(error)
            return
        for key, waiting in batch.items():
            for future in _unanswered(waiting):
                future.set_result(found.get(key))


def _unanswered(
    *waiting: Sequence[asyncio.Future[V | None]],
) -> Iterator[asyncio.Future[V | None]]:
    """The futures of those who still wait."""
    return (future for futures in waiting for future in futures if not future.done())
