"""Answers that are streams, through the real pipeline, on both engines."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.organizations.v1 import organization_service_pb2 as organizations
from pydantic import SecretStr
from sqlalchemy import text

from edge.ratelimit.main import ratelimit
from edge.settings import RateLimitSettings
from portico_contract import methods
from portico_kit.call import Call, Client
from portico_kit.clock import utc_now
from portico_kit.errors import NotFoundError
from portico_kit.ids import new_id
from portico_kit.rpc import access
from portico_kit.rpc.server import Server, pipeline_server
from portico_kit.rpc.streams import Streams, write_all
from portico_kit.service import MAX_MESSAGE_BYTES, Service
from portico_kit.testing.clocks import OffsetClock
from server.common.records import RECORDS
from server.core import Core, build
from server.settings import Settings
from tests.core.conftest import ENGINES, SECRET_KEY
from tests.core.world import INTERNAL_TOKEN, RecordingNotifier, World, refusal
from tests.support.ticks import compiled, through_gateway

WATCH = "/ticks.v1.TickService/Watch"
BRIEFLY = "/ticks.v1.TickService/WatchBriefly"
ORGANIZATION = "/ticks.v1.TickService/WatchOrganization"


@pytest.fixture(scope="session")
def ticks_and_set(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, FileDescriptorSet]:
    return compiled(tmp_path_factory.mktemp("ticks"))


@pytest.fixture(scope="session")
def ticks(ticks_and_set: tuple[Any, FileDescriptorSet]) -> Any:
    return ticks_and_set[0]


@pytest.fixture(scope="session")
def ticks_set(ticks_and_set: tuple[Any, FileDescriptorSet]) -> FileDescriptorSet:
    return ticks_and_set[1]


@dataclass
class Ticking:
    """Serves ticks; knows how many streams are open."""

    pb: Any
    open: int = 0
    sent: int = 0

    async def Watch(self, request: Any, call: Call) -> AsyncIterator[Any]:
        self.open += 1
        try:
            async with call.session() as db:
                await db.execute(text("select 1"))
            number = 0
            while True:
                if request.refuse_after and number == request.refuse_after:
                    raise NotFoundError
                number += 1
                self.sent += 1
                yield self.pb.Tick(number=number, padding=b"x" * request.bytes)
                if not request.burst:
                    await asyncio.sleep(0.05)
        finally:
            self.open -= 1

    WatchBriefly = Watch

    async def WatchOrganization(self, request: Any, call: Call) -> AsyncIterator[Any]:
        """Is as good as its caller's key: a bound one may be used, and sees its own projects."""
        assert call.project_ids is None or call.project_ids
        async for tick in self.Watch(self.pb.WatchRequest(), call):
            yield tick

    async def Wait(self, request: Any, call: Call) -> Any:
        await asyncio.sleep(request.milliseconds / 1000)
        return self.pb.Tick()


@dataclass
class House:
    """A core with the ticks in it."""

    world: World
    core: Core
    server: Server
    ticking: Ticking
    pb: Any
    sockets: Path

    def watch(self, path: str, metadata: Any = (), **request: int) -> Any:
        call = self.world.channel.unary_stream(
            path,
            request_serializer=self.pb.WatchRequest.SerializeToString,
            response_deserializer=self.pb.Tick.FromString,
        )
        return call(self.pb.WatchRequest(**request), metadata=metadata)

    def watch_organization(self, organization_id: str, metadata: Any) -> Any:
        call = self.world.channel.unary_stream(
            ORGANIZATION,
            request_serializer=self.pb.WatchOrganizationRequest.SerializeToString,
            response_deserializer=self.pb.Tick.FromString,
        )
        request = self.pb.WatchOrganizationRequest(organization_id=organization_id)
        return call(request, metadata=metadata)

    async def nothing_open(self) -> None:
        async with asyncio.timeout(20):
            while self.ticking.open:  # noqa: ASYNC110 - the servicer does not know who waits
                await asyncio.sleep(0.02)


async def drained(call: Any) -> None:
    """Reads to the end."""
    async with asyncio.timeout(20):
        while await call.read() is not aio.EOF:
            pass


@pytest.fixture(params=ENGINES)
async def house(
    request: pytest.FixtureRequest,
    database_url: str,
    valkey_url: str,
    ticks: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[House]:
    monkeypatch.setattr(access, "RECHECK_SECONDS", 0.2)
    async with AsyncExitStack() as parts:
        sockets = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="portico")))
        settings = Settings(
            runtime_dir=sockets,
            database_url=database_url,
            redis_url=valkey_url,
            secret_key=SECRET_KEY,
            internal_token=SecretStr(INTERNAL_TOKEN),
            grpc_engine=cast("Any", request.param),
            bcrypt_rounds=4,
        )
        edge = RateLimitSettings(runtime_dir=sockets, redis_url=valkey_url, ratelimit_timeout=2)
        await parts.enter_async_context(ratelimit(edge))
        clock, notifier = OffsetClock(), RecordingNotifier()
        core = build(settings, clock=clock, notifier=notifier)
        parts.push_async_callback(core.close)
        await core.prepare()
        ticking = Ticking(ticks)
        service = Service(ticks.DESCRIPTOR.services_by_name["TickService"], ticking)
        server = pipeline_server(settings.grpc_engine, core.pipeline, [*core.services, service])
        parts.push_async_callback(server.stop)
        port = await server.listen_tcp("127.0.0.1", 0)
        channel = await parts.enter_async_context(aio.insecure_channel(f"127.0.0.1:{port}"))
        world = World(channel, core.parts.engine, settings.secrets, clock, notifier)
        yield House(world, core, server, ticking, ticks, sockets)


async def test_each_message_arrives_when_it_is_sent_and_a_client_that_goes_ends_it(
    house: House,
) -> None:
    person = await house.world.new_person()
    call = house.watch(WATCH, person.metadata)
    async with asyncio.timeout(20):
        assert [(await call.read()).number for _ in range(3)] == [1, 2, 3]
    pool: Any = house.core.parts.engine.pool
    assert pool.checkedout() == 0
    call.cancel()
    await house.nothing_open()


async def test_nobody_opens_a_stream_without_a_credential(house: House) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await house.watch(WATCH).read()
    assert refusal(caught.value).reason == "UNAUTHENTICATED"
    assert house.ticking.sent == 0


async def test_an_error_in_the_middle_ends_the_stream_with_its_reason(house: House) -> None:
    call = house.watch(BRIEFLY, refuse_after=2)
    assert [(await call.read()).number for _ in range(2)] == [1, 2]
    with pytest.raises(aio.AioRpcError) as caught:
        await call.read()
    assert refusal(caught.value).reason == "NOT_FOUND"


async def test_a_stream_ends_when_the_session_of_its_caller_ends(house: House) -> None:
    person = await house.world.new_person()
    call = house.watch(WATCH, person.metadata)
    await call.read()
    await house.world.auth.Logout(auth.LogoutRequest(), metadata=person.metadata)
    with pytest.raises(aio.AioRpcError) as caught:
        await drained(call)
    assert refusal(caught.value).reason == "UNAUTHENTICATED"
    await house.nothing_open()


async def ends_with(house: House, call: Any, reason: str) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await drained(call)
    assert refusal(caught.value).reason == reason
    await house.nothing_open()


async def test_a_stream_of_a_key_ends_when_the_key_is_revoked(house: House) -> None:
    world = house.world
    owner = await world.new_person()
    organization_id = await world.new_organization(owner)
    key = await world.new_key(organization_id, owner, "keys:write")
    call = house.watch_organization(organization_id, await world.key_metadata(key.secret))
    # Longer than two of the looks: what holds goes on.
    for _ in range(10):
        await call.read()
    await world.keys.RevokeApiKey(
        keys.RevokeApiKeyRequest(api_key_id=key.api_key.id), metadata=owner.metadata
    )
    await ends_with(house, call, "UNAUTHENTICATED")


async def test_a_stream_ends_when_its_caller_loses_the_permission(house: House) -> None:
    world = house.world
    owner = await world.new_person()
    organization_id = await world.new_organization(owner)
    admin = await world.new_member(organization_id, owner, "admin")
    call = house.watch_organization(organization_id, admin.metadata)
    await call.read()
    await world.organizations.UpdateMember(
        organizations.UpdateMemberRequest(
            organization_id=organization_id, user_id=admin.id, role="viewer"
        ),
        metadata=owner.metadata,
    )
    await ends_with(house, call, "PERMISSION_DENIED")


async def test_a_stream_ends_when_its_caller_leaves_the_organization(house: House) -> None:
    world = house.world
    owner = await world.new_person()
    organization_id = await world.new_organization(owner)
    member = await world.new_member(organization_id, owner, "admin")
    call = house.watch_organization(organization_id, member.metadata)
    await call.read()
    await world.organizations.RemoveMember(
        organizations.RemoveMemberRequest(organization_id=organization_id, user_id=member.id),
        metadata=owner.metadata,
    )
    await ends_with(house, call, "NOT_FOUND")


async def test_nobody_opens_the_stream_of_another_organization(house: House) -> None:
    world = house.world
    organization_id = await world.new_organization(await world.new_person())
    stranger = await world.new_person()
    await ends_with(
        house, house.watch_organization(organization_id, stranger.metadata), "NOT_FOUND"
    )
    assert house.ticking.sent == 0


async def test_a_stream_outlives_the_token_that_opened_it(house: House) -> None:
    person = await house.world.new_person()
    call = house.watch(WATCH, person.metadata)
    await call.read()
    with house.world.clock.later(timedelta(minutes=16)):
        for _ in range(10):
            await call.read()
    call.cancel()
    await house.nothing_open()


async def test_a_stream_passes_all_interceptors_and_the_gateway(
    house: House, ticks_set: FileDescriptorSet
) -> None:
    """The whole way: sign-in, Envoy, the rate limit service, the core, and back as events."""
    person = await house.world.new_person()
    async with through_gateway(house.sockets, ticks_set, house.server) as gateway:
        url = f"http://127.0.0.1:{gateway.settings.rest_port}/api/v1/ticks"
        headers = {"Authorization": f"Bearer {person.access_token}"}
        await gateway.becomes(200, "/api/v1/users/me", token=person.access_token)
        async with asyncio.timeout(10), gateway.http.get(url, headers=headers) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            assert "x-ratelimit-remaining" in answer.headers
            assert (await answer.content.readline()).startswith(b"data: ")
            await house.world.auth.Logout(auth.LogoutRequest(), metadata=person.metadata)
            await answer.content.read()
        await house.nothing_open()


async def test_a_stream_ends_when_its_time_is_over(house: House) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await drained(house.watch(BRIEFLY))
    assert refusal(caught.value).reason == "STREAM_ENDED"


async def test_a_server_that_stops_ends_its_streams_with_unavailable(house: House) -> None:
    person = await house.world.new_person()
    calls = []
    # One after the other: all at once would wait for connections of the database.
    for _ in range(60):
        calls.append(house.watch(WATCH, person.metadata))
        await calls[-1].read()
    stopping = asyncio.create_task(house.server.stop())
    for call in calls:
        with pytest.raises(aio.AioRpcError) as caught:
            await drained(call)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    async with asyncio.timeout(3):
        await stopping
    assert house.ticking.open == 0


async def test_a_client_that_does_not_read_holds_the_servicer_back(house: House) -> None:
    person = await house.world.new_person()
    call = house.watch(WATCH, person.metadata, burst=1, bytes=100_000)
    await call.read()
    sent = 0
    while sent != house.ticking.sent:  # until it stands still for a while
        sent = house.ticking.sent
        assert sent < 200
        await asyncio.sleep(0.5)
    call.cancel()
    await house.nothing_open()


async def test_a_stream_that_never_waits_leaves_everybody_else_a_turn(ticks: Any) -> None:
    """So it is after a client has gone: what is written then waits for nothing."""
    watch = methods(ticks.DESCRIPTOR.services_by_name["TickService"])[0]
    call = Call(watch, {}, Client(), request_id=str(new_id()), now=utc_now(), records=RECORDS)
    written = 0

    async def ticking(_request: Any, _call: Call) -> AsyncGenerator[Any, None]:
        while True:
            yield ticks.Tick()

    async def write(_message: bytes) -> None:
        nonlocal written
        written += 1
        assert written < 1000

    request = ticks.WatchRequest()
    stream = asyncio.create_task(
        write_all(ticking, watch, Streams(), request, call, write, MAX_MESSAGE_BYTES)
    )
    for _ in range(20):
        await asyncio.sleep(0)
    assert not stream.done()
    assert written > 1
    stream.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream


def test_what_a_stream_says_of_itself(ticks: Any) -> None:
    watch, briefly, _, wait = methods(ticks.DESCRIPTOR.services_by_name["TickService"])
    assert (wait.streaming, wait.timeout) == (False, 3)
    assert (watch.streaming, watch.timeout, briefly.timeout) == (True, 3600, 1)
    assert watch.rest is not None
    assert not watch.rest.answers_head
