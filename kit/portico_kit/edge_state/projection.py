"""Copies in Valkey of what PostgreSQL holds, for the edge, which never asks the database.

Valkey may be away when something changes, or lose everything; the copy is then
written anew.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from redis.exceptions import RedisError

CHECK_SECONDS = 1.0

log = structlog.get_logger("copies")


class Projection(ABC):
    """A copy that is kept whole."""

    def __init__(self, name: str) -> None:
        """Takes the name of what is copied, for the log."""
        self._name = name
        # What Valkey held before this process began is not known to be the truth.
        self._behind = True

    @abstractmethod
    async def rebuild(self) -> None:
        """Writes all of it."""

    @abstractmethod
    async def is_complete(self) -> bool:
        """Whether Valkey still holds it."""

    @contextmanager
    def mark_stale_on_error(self) -> Iterator[None]:
        """Notes that the copy is behind if what happens inside does not reach Valkey."""
        try:
            yield
        except (RedisError, OSError):
            self._behind = True
            raise

    async def reconcile_forever(self) -> None:
        """Writes everything at the start, and again whenever Valkey has lost it."""
        while True:
            try:
                if self._behind or not await self.is_complete():
                    self._behind = False
                    await self.rebuild()
                    log.info("copied", what=self._name)
            except Exception as error:  # whatever is away may be back at the next look
                self._behind = True
                log.warning("copy_failed", what=self._name, error=type(error).__name__)
            await asyncio.sleep(CHECK_SECONDS)
