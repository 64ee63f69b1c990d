"""The first use of an imported key: its secret is held against the hash of another system.

If it is right, our own keyed hash takes the place of the imported one, so that
each use after it costs no more than that of any other key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from server.keys.imported_hashes import ImportedHash
from server.keys.repository import UNUSED_BY_PREFIX, ImportedSecretRepository
from server.keys.slow_checks import SlowChecks
from server.keys.views import UnusedSecretView
from server.kit.batching import BatchLoader
from server.kit.db import sessions
from server.kit.foreign_secrets import possible_prefixes
from server.kit.reads import Reads
from server.kit.secrets import Secrets

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
        self._unused: BatchLoader[str, UnusedSecretView] = BatchLoader(self._fetch, LARGEST_BATCH)

    async def accept(self, secret: str, secret_hash: bytes, now: datetime) -> bool:
        """Whether the secret is that of an imported key; its hash is in the key's row then.

        Raises:
            UnavailableError: if too many slow hashes are being computed.
        """
        unused = await self._unused.load(secret)
        if unused is None or not unused.acceptable(now):
            return False
        known = ImportedHash(unused.algorithm, self._secrets.unseal(PURPOSE, unused.sealed_hash))
        if not known.slow:
            return known.matches(secret) and await self._adopt(unused, secret_hash)

        async def check() -> bool:
            matches = await self._slow.in_thread(lambda: known.matches(secret))
            return matches and await self._adopt(unused, secret_hash)

        return await self._slow.once(secret_hash, unused.api_key_id, check)

    async def _adopt(self, unused: UnusedSecretView, secret_hash: bytes) -> bool:
        async with self._sessions.begin() as db:
            await ImportedSecretRepository(db).adopt(
                unused.api_key_id, unused.sealed_hash, secret_hash
            )
        return True

    async def _fetch(self, secrets: Sequence[str]) -> Mapping[str, UnusedSecretView]:
        """At most one for each secret, for no imported prefix starts another one."""
        starts = {secret: possible_prefixes(secret) for secret in secrets}
        asked = {start for each in starts.values() for start in each}
        rows = await self._reads.fetch(UNUSED_BY_PREFIX, list(asked))
        found = {row.prefix: UnusedSecretView(*row) for row in rows}
        return {
            secret: found[start]
            for secret, each in starts.items()
            for start in each
            if start in found
        }
