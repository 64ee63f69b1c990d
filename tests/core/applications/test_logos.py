"""People see our copy of a logo: fetched once, checked, and never from where it came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
from portico.applications.v1 import logo_service_pb2 as pb
from portico.applications.v1.logo_service_pb2_grpc import LogoServiceStub
from redis.asyncio import Redis
from sqlalchemy import text

from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.storage.base import sessions
from server.common.outbound_addresses import AddressPolicy
from server.common.outbound_json import JsonClient
from server.features.applications.logos import LogoFetcher, delete_logos
from tests.core.applications.conftest import ApplicationClient
from tests.core.applications.test_images import SVG, png
from tests.core.conftest import Refused
from tests.core.world import INTERNAL_TOKEN, World, bearer
from tests.workers.harness import Receiver, answer, receiving

ADDRESS = "https://app.example.com/logo.png"
NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


@pytest.fixture
async def host() -> AsyncIterator[Receiver]:
    """The application's web server."""
    async with receiving() as receiver:
        receiver.handler = answer(200, png(64, 64), Content_Type="text/html")
        yield receiver


@pytest.fixture
async def fetch(world: World, valkey_url: str) -> AsyncIterator[LogoFetcher]:
    """What a worker runs."""
    client = JsonClient(AddressPolicy(allow_loopback=True))
    async with Redis.from_url(valkey_url) as redis:
        yield LogoFetcher(sessions(world.engine), client, CacheInvalidator(redis), world.clock)
    await client.close()


@pytest.fixture
async def application_id(
    world: World, application_client: ApplicationClient, host: Receiver
) -> str:
    """An application whose logo is on this machine, which no request can say."""
    made = await application_client.create(logo_uri=ADDRESS)
    await move(world, made.application.id, host.url)
    return made.application.id


async def move(world: World, application_id: str, uri: str) -> None:
    async with world.engine.begin() as db:
        statement = text("update applications set logo_uri = :uri where id = :id")
        await db.execute(statement, {"uri": uri, "id": application_id})


async def logo(world: World, application_id: str, digest: str) -> pb.GetLogoResponse:
    request = pb.GetLogoRequest(application_id=application_id, digest=digest)
    return await LogoServiceStub(world.channel).GetLogo(request, metadata=bearer(INTERNAL_TOKEN))


async def path(application_client: ApplicationClient, application_id: str) -> str:
    """Where the pages say that the copy is; "" for nowhere."""
    client = await application_client.facade.find(application_id)
    assert client is not None
    return client.logo_path


async def test_a_logo_is_fetched_once_and_shown_from_our_origin(
    world: World,
    application_client: ApplicationClient,
    application_id: str,
    host: Receiver,
    fetch: LogoFetcher,
) -> None:
    before = await application_client.get(application_id)
    await fetch()
    await fetch()
    [asked] = await host.got(1)
    assert "cookie" not in asked.headers
    assert asked.headers["accept"].startswith("image/png")
    place = await path(application_client, application_id)
    assert place.startswith(f"/assets/logos/{application_id}/")
    shown = await logo(world, application_id, place.rpartition("/")[2])
    # By what it is, not by what its host says that it is.
    assert (shown.content, shown.content_type) == (png(64, 64), "image/png")
    assert await application_client.get(application_id) == before


async def test_a_logo_that_is_set_again_is_fetched_again(
    world: World,
    application_client: ApplicationClient,
    application_id: str,
    host: Receiver,
    fetch: LogoFetcher,
    refused: Refused,
) -> None:
    await fetch()
    first = (await path(application_client, application_id)).rpartition("/")[2]
    host.handler = answer(200, png(32, 32))
    await application_client.update(application_id, logo_uri=ADDRESS)
    # Another address: nobody sees the old picture under a new name.
    assert not await path(application_client, application_id)
    await refused(logo(world, application_id, first), *NOT_FOUND)
    await move(world, application_id, host.url)
    await fetch()
    second = (await path(application_client, application_id)).rpartition("/")[2]
    assert second not in ("", first)
    await application_client.update(application_id, logo_uri="")
    await refused(logo(world, application_id, second), *NOT_FOUND)
    async with sessions(world.engine).begin() as db:
        assert await delete_logos(db, world.clock(), 1000) == 1


@pytest.mark.parametrize(
    ("content", "status"), [(SVG, 200), (b"", 200), (png(20, 20, bytes(70_000)), 200)]
)
async def test_what_is_no_small_image_is_not_shown_and_not_asked_for_again(
    world: World,
    application_client: ApplicationClient,
    application_id: str,
    host: Receiver,
    fetch: LogoFetcher,
    content: bytes,
    status: int,
) -> None:
    host.handler = answer(status, content, Content_Type="image/png")
    await fetch()
    assert not await path(application_client, application_id)
    if len(content) < 70_000:
        with world.clock.later(timedelta(hours=3)):
            await fetch()
        await host.got(1)


async def test_a_host_that_does_not_answer_is_asked_three_times_more(
    world: World,
    application_client: ApplicationClient,
    application_id: str,
    host: Receiver,
    fetch: LogoFetcher,
) -> None:
    host.handler = answer(302, Location="http://127.0.0.1:1/")
    passed = timedelta()
    for pause in (0, 1, 10, 60, 600):
        passed += timedelta(minutes=pause, seconds=1)
        with world.clock.later(passed):
            await fetch()
    await host.got(4)
    assert not await path(application_client, application_id)


async def test_our_own_network_is_not_asked(
    world: World, application_client: ApplicationClient, application_id: str, host: Receiver
) -> None:
    for uri in (host.url, "http://169.254.169.254/logo.png", "https://localhost/logo.png"):
        await move(world, application_id, uri)
        client = JsonClient(AddressPolicy(allow_loopback=False))
        fetch = LogoFetcher(
            sessions(world.engine),
            client,
            CacheInvalidator(Redis.from_url("redis://127.0.0.1:1")),
            world.clock,
        )
        with world.clock.later(timedelta(hours=1)):
            await fetch()
        await client.close()
    assert not host.requests


async def test_logos_are_for_the_pages_alone(
    world: World, application_client: ApplicationClient, application_id: str, refused: Refused
) -> None:
    request = pb.GetLogoRequest(application_id=application_id, digest="0" * 64)
    stub = LogoServiceStub(world.channel)
    attempt = stub.GetLogo(request, metadata=application_client.owner.metadata)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_deleted_application_has_no_logo(
    world: World,
    application_client: ApplicationClient,
    application_id: str,
    fetch: LogoFetcher,
    refused: Refused,
) -> None:
    await fetch()
    digest = (await path(application_client, application_id)).rpartition("/")[2]
    await application_client.delete(application_id)
    await refused(logo(world, application_id, digest), *NOT_FOUND)
