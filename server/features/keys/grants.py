"""What a live API key may do: asked at every call, in one query for all who ask at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from portico_kit.batching import BatchLoader
from portico_kit.call import KeyGrant
from portico_kit.clock import Clock
from portico_kit.storage.reads import Reads
from server.features.keys.read_models import KeyGrantView
from server.features.keys.repository import GRANTS


class KeyGrants:
    """Answers the access interceptor."""

    def __init__(self, reads: Reads, clock: Clock) -> None:
        self._reads = reads
        self._clock = clock
        self._keys: BatchLoader[UUID, KeyGrantView] = BatchLoader(self._fetch)

    async def find(self, key_id: UUID) -> KeyGrant | None:
        """What the key may do; None if none of its secrets is good or its organization is gone."""
        key = await self._keys.load(key_id)
        secret_ids = key.secret_ids(self._clock()) if key else frozenset()
        if key is None or not secret_ids:
            return None
        return KeyGrant(
            key.organization_id, frozenset(key.scopes), secret_ids, tuple(key.allowed_cidrs)
        )

    async def _fetch(self, key_ids: Sequence[UUID]) -> Mapping[UUID, KeyGrantView]:
        rows = await self._reads.fetch(GRANTS, key_ids)
        return {row.id: KeyGrantView(*row) for row in rows}
