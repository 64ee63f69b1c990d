"""What the tests of API keys share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from portico.keys.v1 import api_key_service_pb2 as pb
from redis.asyncio import Redis

from portico_kit.edge_state.cache_invalidation import KEYS_CHANGED
from tests.core.keys.imported import ImportClient, allow_import
from tests.core.users.conftest import administrator as administrator
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer


@dataclass(frozen=True)
class KeyClient:
    """The keys of an organization, as its owner and the edge see them."""

    world: World
    organization_id: str
    owner: Person

    async def create(
        self, *scopes: str, by: Person | None = None, **fields: Any
    ) -> pb.CreateApiKeyResponse:
        """A new key, by default the owner's."""
        return await self.world.new_key(self.organization_id, by or self.owner, *scopes, **fields)

    async def get(self, key_id: str) -> pb.GetApiKeyResponse:
        """The key, as somebody sees it who signs in for this."""
        owner = await self.world.sign_in(self.owner.email)
        request = pb.GetApiKeyRequest(api_key_id=key_id)
        return await self.world.keys.GetApiKey(request, metadata=owner.metadata)

    async def update(self, key_id: str, **fields: Any) -> pb.UpdateApiKeyResponse:
        """The owner changes a key."""
        request = pb.UpdateApiKeyRequest(api_key_id=key_id, **fields)
        return await self.world.keys.UpdateApiKey(request, metadata=self.owner.metadata)

    async def revoke(self, key_id: str) -> pb.RevokeApiKeyResponse:
        """The owner revokes a key."""
        request = pb.RevokeApiKeyRequest(api_key_id=key_id)
        return await self.world.keys.RevokeApiKey(request, metadata=self.owner.metadata)

    async def rotate(self, key_id: str, overlap_seconds: int = 0) -> pb.RotateApiKeyResponse:
        """The owner rotates a key."""
        request = pb.RotateApiKeyRequest(api_key_id=key_id, overlap_seconds=overlap_seconds)
        return await self.world.keys.RotateApiKey(request, metadata=self.owner.metadata)

    async def verify(self, secret: str) -> pb.VerifyApiKeyResponse:
        """The edge asks whose a secret is."""
        request = pb.VerifyApiKeyRequest(secret=secret)
        return await self.world.keys.VerifyApiKey(request, metadata=bearer(INTERNAL_TOKEN))


@pytest.fixture
async def key_client(world: World, owner: Person, organization_id: str) -> KeyClient:
    """The keys of the owner's organization."""
    return KeyClient(world, organization_id, owner)


@pytest.fixture
async def import_client(key_client: KeyClient, administrator: Person) -> ImportClient:
    """An administrator who moves keys to the owner's organization, which allows it."""
    await allow_import(key_client.world, key_client.owner, key_client.organization_id)
    return ImportClient(key_client.world, key_client.organization_id, administrator)


@asynccontextmanager
async def announced(valkey_url: str, key_id: str) -> AsyncIterator[None]:
    """Fails unless what happens inside makes the edge forget the key."""
    async with Redis.from_url(valkey_url) as valkey, valkey.pubsub() as listener:
        await listener.subscribe(KEYS_CHANGED)
        yield
        async with asyncio.timeout(5):
            async for message in listener.listen():
                if message["data"] == key_id.encode():
                    return
