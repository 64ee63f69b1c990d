"""How many streams an organization has open, and may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from server.features.events.errors import StreamLimitReachedError

# By the tier of the organization, in each process that serves streams.
MAX_STREAMS: Mapping[str, int] = {"free": 20, "basic": 100, "pro": 1000, "enterprise": 50_000}


class StreamPlaces:
    """Counts the open streams of this process."""

    def __init__(self) -> None:
        self._open: Counter[UUID] = Counter()

    @contextmanager
    def taken(self, organization_id: UUID, tier: str) -> Iterator[None]:
        """Holds a place while the context is entered.

        Raises:
            StreamLimitReachedError: if there is none left.
        """
        limit = MAX_STREAMS[tier]
        if self._open[organization_id] >= limit:
            raise StreamLimitReachedError(limit=str(limit))
        self._open[organization_id] += 1
        try:
            yield
        finally:
            self._open[organization_id] -= 1
            if not self._open[organization_id]:
                del self._open[organization_id]
