"""A client stays in memory until it changes; whatever changes counts everywhere within a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from portico.organizations.v1 import organization_service_pb2 as organizations
from redis.asyncio import Redis

from portico_kit.background import cancel
from portico_kit.testing.clocks import OffsetClock
from portico_kit.testing.waiting import eventually
from server.features.applications.client_cache import ClientCache, ClientInvalidations
from server.features.applications.read_models import Client
from tests.core.applications.conftest import ApplicationClient
from tests.core.world import World


@asynccontextmanager
async def listening(world: World, valkey_url: str) -> AsyncIterator[None]:
    """The core hears of changes, as a process of its own would."""
    cache = world.provided.get(ClientCache)
    async with Redis.from_url(valkey_url) as redis:
        task = asyncio.create_task(ClientInvalidations(redis, cache).listen_forever())
        try:
            await eventually(lambda: cache.connected)
            yield
        finally:
            await cancel(task)


@pytest.fixture
async def heard(world: World, valkey_url: str) -> AsyncIterator[None]:
    async with listening(world, valkey_url):
        yield


@pytest.mark.usefixtures("heard")
async def test_a_client_is_kept(application_client: ApplicationClient) -> None:
    client_id = (await application_client.create()).application.id
    first = await application_client.facade.find(client_id)
    assert first is not None
    assert await application_client.facade.find(client_id) is first


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("change", ["disable", "delete", "organization"])
async def test_a_client_that_is_no_more_is_gone_within_a_second(
    application_client: ApplicationClient, change: str
) -> None:
    client_id = (await application_client.create()).application.id
    assert await application_client.facade.find(client_id)
    if change == "disable":
        await application_client.update(client_id, enabled=False)
    elif change == "delete":
        await application_client.delete(client_id)
    else:
        await application_client.world.organizations.DeleteOrganization(
            organizations.DeleteOrganizationRequest(
                organization_id=application_client.organization_id
            ),
            metadata=application_client.owner.metadata,
        )
    await eventually(lambda: _is_gone(application_client, client_id), within=1)


async def _is_gone(applications: ApplicationClient, client_id: str) -> bool:
    return await applications.facade.find(client_id) is None


@pytest.mark.usefixtures("heard")
async def test_a_revoked_secret_is_refused_within_a_second(
    application_client: ApplicationClient,
) -> None:
    created = await application_client.create()
    client_id, secret = created.application.id, created.client_secret
    client = await application_client.authenticate(client_id, secret)
    await application_client.revoke_secret(client_id, client.secret_id)

    async def refused() -> bool:
        found = await application_client.facade.find(client_id)
        return found is not None and not found.secret_ids(application_client.world.clock())

    await eventually(refused, within=1)


async def test_nothing_is_kept_while_changes_may_be_missed(
    application_client: ApplicationClient, world: World, valkey_url: str
) -> None:
    client_id = (await application_client.create()).application.id
    async with listening(world, valkey_url):
        kept = await application_client.facade.find(client_id)
    assert await application_client.facade.find(client_id) is not kept
    await application_client.update(client_id, enabled=False)
    assert await application_client.facade.find(client_id) is None


@pytest.mark.usefixtures("heard")
async def test_a_message_that_never_came_costs_a_minute_at_most(
    application_client: ApplicationClient, world: World
) -> None:
    client_id = (await application_client.create()).application.id
    kept = await application_client.facade.find(client_id)
    with world.clock.later(timedelta(seconds=61)):
        assert await application_client.facade.find(client_id) is not kept


async def test_what_changes_while_it_is_fetched_is_not_kept(
    application_client: ApplicationClient,
) -> None:
    client_id = (await application_client.create()).application.id
    found = await application_client.facade.find(client_id)
    assert found is not None
    cache, asked = ClientCache(OffsetClock()), 0
    cache.on_connected()

    async def fetch(application_id: UUID) -> Client:
        nonlocal asked
        asked += 1
        if asked == 1:
            cache.invalidate(application_id)
        return found

    for _ in range(3):
        await cache.get(found.id, fetch)
    assert asked == 2
