"""Documents of others that are fetched once in a while, and kept in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from portico_kit.clock import Clock

# What is missing in a document is looked for at its address not more often than this.
REFETCH_INTERVAL = timedelta(seconds=30)
# Documents of one kind that are kept; organizations name their addresses.
MOST = 1_000

T = TypeVar("T")


@dataclass(slots=True)
class _Kept(Generic[T]):
    """A document as it was fetched.

    Attributes:
        replaced_at: when it was last fetched although it was young enough.
    """

    value: T
    fetched_at: datetime
    replaced_at: datetime | None = None


class KeptDocuments(Generic[T]):
    """Documents of one kind, by address. Whoever asks for one at the same time shares a fetch."""

    def __init__(
        self,
        clock: Clock,
        kept: timedelta | Callable[[T], timedelta],
        failures_kept: timedelta = timedelta(0),
    ) -> None:
        """Takes for how long documents are kept, and that there was none to be had."""
        self._clock = clock
        self._kept = kept
        self._failures_kept = failures_kept
        self._failures: OrderedDict[str, tuple[Exception, datetime]] = OrderedDict()
        self._documents: OrderedDict[str, _Kept[T]] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[T]] = {}

    def knows(self, url: str) -> bool:
        """Whether `get` needs no fetch of its own."""
        found, failed, now = self._documents.get(url), self._failures.get(url), self._clock()
        if found and now - found.fetched_at < self._lifetime(found.value):
            return True
        return url in self._fetching or (
            failed is not None and now - failed[1] < self._failures_kept
        )

    async def get(self, url: str, fetch: Callable[[], Awaitable[T]]) -> T:
        """The document.

        Args:
            fetch: brings it if none is kept that is young enough.
        """
        found = self._documents.get(url)
        if found and self._clock() - found.fetched_at < self._lifetime(found.value):
            return found.value
        return await self._fetch_together(url, fetch)

    def _lifetime(self, value: T) -> timedelta:
        return self._kept if isinstance(self._kept, timedelta) else self._kept(value)

    async def replace(self, url: str, fetch: Callable[[], Awaitable[T]]) -> T:
        """The document, fetched once more, unless that was done for the same reason lately."""
        found, now = self._documents.get(url), self._clock()
        if found and found.replaced_at and now - found.replaced_at < REFETCH_INTERVAL:
            return found.value
        if url not in self._fetching and found:
            # Those who come while it is fetched, or when that has failed, do not ask again.
            found.replaced_at = now
        return await self._fetch_together(url, fetch)

    async def _fetch_together(self, url: str, fetch: Callable[[], Awaitable[T]]) -> T:
        self._raise_if_failed_lately(url)
        if url not in self._fetching:
            task = asyncio.ensure_future(self._fetch(url, fetch))
            task.add_done_callback(lambda _: self._fetching.pop(url, None))
            self._fetching[url] = task
        # One who goes away does not end it for the others.
        return await asyncio.shield(self._fetching[url])

    async def _fetch(self, url: str, fetch: Callable[[], Awaitable[T]]) -> T:
        try:
            value = await fetch()
        except Exception as error:
            self._keep_failure(url, error)
            raise
        self._failures.pop(url, None)
        before = self._documents.get(url)
        replaced_at = before.replaced_at if before else None
        self._documents[url] = _Kept(value, self._clock(), replaced_at)
        self._documents.move_to_end(url)
        if len(self._documents) > MOST:
            self._documents.popitem(last=False)
        return value

    def _keep_failure(self, url: str, error: Exception) -> None:
        if not self._failures_kept:
            return
        self._failures[url] = (error, self._clock())
        self._failures.move_to_end(url)
        if len(self._failures) > MOST:
            self._failures.popitem(last=False)

    def _raise_if_failed_lately(self, url: str) -> None:
        failed = self._failures.get(url)
        if failed is not None and self._clock() - failed[1] < self._failures_kept:
            raise failed[0].with_traceback(None)
