"""Whose a secret is: the question behind every request that carries an API key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from portico.keys.v1 import api_key_service_pb2 as pb

from portico_kit.batching import BatchLoader
from portico_kit.clock import timestamp
from portico_kit.edge_state.imported_keys import is_foreign
from portico_kit.jwt import TokenIssuer
from portico_kit.secrets import Secrets
from portico_kit.storage.reads import Reads
from portico_kit.tokens import parse_api_key
from server.features.keys import messages
from server.features.keys.authenticator import KEY
from server.features.keys.imported.adoption import FirstUses
from server.features.keys.read_models import KeyView, secret_id
from server.features.keys.repository import VIEW_BY_HASH
from server.features.organizations.facade import Tenants

PURPOSE = "api-key"
# How long the edge may keep an answer. A change of the key drops it earlier.
VERIFIED_FOR = timedelta(minutes=5)


class KeyVerifier:
    """Verifies secrets, and gives tokens for those that are good.

    However many secrets are asked about at the same moment: one query for the
    keys, one for their organizations.
    """

    def __init__(
        self,
        secrets: Secrets,
        issuer: TokenIssuer,
        reads: Reads,
        tenants: Tenants,
        first_uses: FirstUses,
    ) -> None:
        self._secrets = secrets
        self._issuer = issuer
        self._reads = reads
        self._tenants = tenants
        self._first_uses = first_uses
        self._by_hash: BatchLoader[bytes, KeyView] = BatchLoader(self._fetch)

    def hash(self, secret: str) -> bytes:
        """What is kept of a secret. It is random, so a fast keyed hash is as good as a slow one."""
        return self._secrets.mac(PURPOSE, secret)

    async def verify(
        self, secrets: Sequence[str], now: datetime
    ) -> list[pb.VerifyApiKeyResponse | None]:
        """An answer for each secret, None for one that is not good.

        Raises:
            UnavailableError: if too many imported keys are used for the first time at once.
        """
        hashes = {each: self.hash(each) for each in secrets if _well_formed(each)}
        found = await self._by_hash.load_all(hashes.values())
        unknown = {
            each: digest
            for each, digest in hashes.items()
            if digest not in found and is_foreign(each)
        }
        found |= await self._used_first(unknown, now)
        good = {digest: key for digest, key in found.items() if key.accepts(digest, now)}
        tiers = await self._tenants.tiers(key.organization_id for key in good.values())
        answers = {
            digest: self._answer(key, digest, tiers[key.organization_id], now)
            for digest, key in good.items()
            if key.organization_id in tiers
        }
        return [answers.get(hashes.get(secret, b"")) for secret in secrets]

    async def _used_first(
        self, foreign: Mapping[str, bytes], now: datetime
    ) -> Mapping[bytes, KeyView]:
        """The keys of secrets that were imported and are used for the first time."""
        if not foreign:
            return {}
        uses = (self._first_uses.accept(each, digest, now) for each, digest in foreign.items())
        accepted = zip(foreign.values(), await asyncio.gather(*uses), strict=True)
        return await self._by_hash.load_all(digest for digest, good in accepted if good)

    def _answer(
        self, key: KeyView, secret_hash: bytes, tier: str, now: datetime
    ) -> pb.VerifyApiKeyResponse:
        until = key.accepted_until(secret_hash, now + VERIFIED_FOR)
        token = self._issuer.issue(
            kind=KEY,
            subject=key.id,
            organization_id=key.organization_id,
            secret_id=secret_id(secret_hash),
            tier=tier,
            lifetime=until - now,
        )
        return pb.VerifyApiKeyResponse(
            api_key=messages.api_key(key, now),
            access_token=token,
            expires_at=timestamp(until),
            tier=tier,
        )

    async def _fetch(self, hashes: Sequence[bytes]) -> Mapping[bytes, KeyView]:
        keys = [KeyView(*row) for row in await self._reads.fetch(VIEW_BY_HASH, hashes)]
        earlier = {key.previous_secret_hash: key for key in keys if key.previous_secret_hash}
        return {**earlier, **{key.secret_hash: key for key in keys if key.secret_hash}}


def _well_formed(secret: str) -> bool:
    return parse_api_key(secret) is not None or is_foreign(secret)
