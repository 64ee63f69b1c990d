"""Whose a secret is: the question behind every request that carries an API key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from portico.keys.v1 import api_key_service_pb2 as pb

from server.keys import wire
from server.keys.models import ApiKey, secret_id
from server.keys.repository import ApiKeyRepository
from server.kit.call import Call
from server.kit.clock import timestamp
from server.kit.jwt import TokenIssuer
from server.kit.secrets import Secrets
from server.kit.tokens import parse_api_key
from server.organizations.tenants import Tenants

PURPOSE = "api-key"
# How long the edge may keep an answer. A change of the key drops it earlier.
VERIFIED_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Verification:
    """Verifies secrets, and gives tokens for those that are good."""

    secrets: Secrets
    issuer: TokenIssuer
    tenants: Tenants

    def hash(self, secret: str) -> bytes:
        """What is kept of a secret. It is random, so a fast keyed hash is as good as a slow one."""
        return self.secrets.mac(PURPOSE, secret)

    async def verify(
        self, secrets: Sequence[str], call: Call
    ) -> list[pb.VerifyApiKeyResponse | None]:
        """An answer for each secret, None for one that is not good.

        However many there are: one query for the keys, one for their organizations.
        """
        hashes = [self.hash(secret) for secret in secrets if parse_api_key(secret) is not None]
        found = await ApiKeyRepository(call.db).find_by_hashes(hashes)
        good = {digest: key for digest, key in found.items() if key.accepts(digest, call.now)}
        owners = {key.organization_id for key in good.values()}
        tiers = await self.tenants.tiers(call.db, owners)
        answers = {
            digest: self._answer(key, digest, tiers[key.organization_id], call)
            for digest, key in good.items()
            if key.organization_id in tiers
        }
        return [answers.get(self.hash(secret)) for secret in secrets]

    def _answer(
        self, key: ApiKey, secret_hash: bytes, tier: str, call: Call
    ) -> pb.VerifyApiKeyResponse:
        until = key.accepted_until(secret_hash, call.now + VERIFIED_FOR)
        token = self.issuer.issue(
            kind="key",
            subject=key.id,
            organization_id=key.organization_id,
            secret_id=secret_id(secret_hash),
            tier=tier,
            lifetime=until - call.now,
        )
        return pb.VerifyApiKeyResponse(
            api_key=wire.api_key(key, call.now),
            access_token=token,
            expires_at=timestamp(until),
            tier=tier,
        )
