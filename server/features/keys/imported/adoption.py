"""The first use of an imported key: its secret is held against the hash of another system.

If it is right, our own keyed hash takes the place of the imported one, so that
each use after it costs no more than that of any other key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from portico_kit.batching import BatchLoader
from portico_kit.edge_state.imported_keys import possible_prefixes
from portico_kit.secrets import Secrets
from portico_kit.storage.base import sessions
from portico_kit.storage.reads import Reads
from server.features.keys.imported.hash_pool import SlowChecks
from server.features.keys.imported.hashes import ImportedHash
from server.features.keys.read_models import ImportedSecretView
from server.features.keys.repository import IMPORTED_BY_PREFIX, ImportedSecretRepository

PURPOSE = "imported-key"
# Each secret has many starts that are looked for.
LARGEST_BATCH = 50


class FirstUses:
    """Accepts secrets that no hash of ours is known of."""

    def __init__(self, secrets: Secrets, reads: Reads, engine: AsyncEngine) -> None:
        self._secrets = secrets
        self._reads = reads
        self._sessions = sessions(engine)
        self._slow = SlowChecks()
        self._imported: BatchLoader[str, ImportedSecretView] = BatchLoader(
            self._fetch, LARGEST_BATCH
        )

    async def accept(self, secret: str, secret_hash: bytes, now: datetime) -> bool:
        """Whether to look for the hash again: it may be in the row of an imported key now.

        Args:
            secret_hash: our own hash of the secret, which was in no row before.

        Raises:
            UnavailableError: if too many slow hashes are being computed.
        """
        found = await self._imported.load(secret)
        if found is None or not found.acceptable(now):
            return False
        known = self._open(found)
        if known is None:
            return True  # somebody else was first, a moment ago
        if not known.slow:
            return known.matches(secret) and await self._adopt(found.api_key_id, secret_hash)

        async def check() -> bool:
            matches = await self._slow.in_thread(lambda: known.matches(secret))
            return matches and await self._adopt(found.api_key_id, secret_hash)

        return await self._slow.once(secret_hash, found.api_key_id, check)

    def _open(self, found: ImportedSecretView) -> ImportedHash | None:
        if found.algorithm is None or found.sealed_hash is None:
            return None
        return ImportedHash(found.algorithm, self._secrets.unseal(PURPOSE, found.sealed_hash))

    async def _adopt(self, key_id: UUID, secret_hash: bytes) -> bool:
        async with self._sessions.begin() as db:
            await ImportedSecretRepository(db).adopt(key_id, secret_hash)
        return True

    async def _fetch(self, secrets: Sequence[str]) -> Mapping[str, ImportedSecretView]:
        """At most one for each secret, for no imported prefix starts another one."""
        starts = {secret: possible_prefixes(secret) for secret in secrets}
        asked = {start for each in starts.values() for start in each}
        rows = await self._reads.fetch(IMPORTED_BY_PREFIX, list(asked))
        found = {row.prefix: ImportedSecretView(*row) for row in rows}
        return {
            secret: found[start]
            for secret, each in starts.items()
            for start in each
            if start in found
        }
