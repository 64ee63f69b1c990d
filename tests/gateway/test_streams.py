"""A stream passes the gateway message by message, in each protocol; calls get their time."""

from __future__ import annotations

import asyncio
import json
import struct
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from cli.run.settings import MAX_CALL_SECONDS
from edge.gateway.bootstrap import render
from edge.gateway.main import DRAIN_MARGIN_SECONDS, find_envoy, launch, patience
from edge.gateway.settings import GatewaySettings
from portico_contract import Contract, methods, reading
from portico_kit.call import Call, Records
from portico_kit.clock import utc_now
from portico_kit.errors import NotFoundError
from portico_kit.rpc.errors import Errors
from portico_kit.rpc.pipeline import Pipeline
from portico_kit.rpc.server import pipeline_server
from portico_kit.service import Service
from portico_kit.testing.waiting import eventually
from tests.gateway import gateway as running_gateways
from tests.gateway.backends import Backends
from tests.gateway.gateway import Gateway, running, settings_for
from tests.gateway.tokens import Signer
from tests.support.ticks import compiled, routing

TICKS = "/api/v1/ticks"
WATCH = "/ticks.v1.TickService/Watch"
WAIT = "/ticks.v1.TickService/Wait"
WAIT_URL = "/api/v1/ticks/wait?milliseconds="
# Of every call whose method names no time.
REQUEST_SECONDS = 1.0
# The machine's, not the promise's.
SLACK_SECONDS = 2.0


@pytest.fixture(scope="session")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, FileDescriptorSet]:
    return compiled(tmp_path_factory.mktemp("ticks"))


@dataclass
class Ticking:
    pb: Any
    open: int = 0

    async def Watch(self, request: Any, call: Call) -> AsyncIterator[Any]:
        self.open += 1
        try:
            number = 0
            while not (request.refuse_after and number == request.refuse_after - 1):
                number += 1
                yield self.pb.Tick(number=number, padding=b"x" * request.bytes)
                await asyncio.sleep(0.2)
            raise NotFoundError
        finally:
            self.open -= 1

    WatchBriefly = Watch
    WatchOrganization = Watch

    async def Wait(self, request: Any, _: object) -> Any:
        await asyncio.sleep(request.milliseconds / 1000)
        return self.pb.Tick()

    async def nothing_open(self) -> None:
        async with asyncio.timeout(2):
            while self.open:  # noqa: ASYNC110 - the servicer does not know who waits
                await asyncio.sleep(0.02)


@dataclass
class Routed:
    """What a gateway needs that routes the ticks."""

    contract: Contract
    settings: GatewaySettings
    service: Ticking

    def write(self) -> Path:
        """The configuration, with the ticks' own core behind their routes."""
        config: dict[str, Any] = render(self.contract, self.settings)
        path = self.settings.runtime_dir / "envoy.json"
        path.write_text(json.dumps(config).replace(*self._stream_socket(config)))
        return path

    def _stream_socket(self, config: dict[str, Any]) -> tuple[str, str]:
        [cluster] = [
            each for each in config["static_resources"]["clusters"] if each["name"] == "streams"
        ]
        before = json.dumps(cluster)
        return before, before.replace("core.sock", "streams.sock")


@pytest.fixture
async def routed(
    short_folder: Path,
    signer: Signer,
    ticks: tuple[Any, FileDescriptorSet],
    tmp_path: Path,
) -> AsyncIterator[Routed]:
    pb, descriptors = ticks
    folder = short_folder / f"st-{tmp_path.name[-10:]}"
    contract, changes = routing(folder, descriptors)
    service = Ticking(pb)
    backends = Backends(folder, keys=[signer.public])
    backends.script_service(pb.DESCRIPTOR.services_by_name["TickService"], WAIT, service.Wait)
    await backends.start()
    # The streams' own core: the pipeline without the steps that ask the database.
    nothing = Records(event=_never, audit_entry=_never)
    streams = pipeline_server(
        "pygrpc-native",
        Pipeline(Errors(), [], utc_now, nothing),
        [Service(pb.DESCRIPTOR.services_by_name["TickService"], service)],
    )
    await streams.listen_unix(folder / "streams.sock")
    settings = settings_for(folder, request_timeout=REQUEST_SECONDS, **changes)
    yield Routed(contract, settings, service)
    await streams.stop()
    await backends.stop()


@pytest.fixture
async def ticking(
    routed: Routed, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Gateway, Ticking]]:
    monkeypatch.setattr(running_gateways, "write_config", lambda *_: routed.write())
    async with running(routed.settings, routed.contract) as gateway:
        await gateway.becomes(200, "/api/v1/users/me", token=signer.token())
        yield gateway, routed.service


def _never(**_values: Any) -> Any:
    raise AssertionError("nothing is recorded here")


async def test_rest_gets_an_event_for_each_message_as_it_is_sent(
    ticking: tuple[Gateway, Ticking], token: str
) -> None:
    gateway, service = ticking
    url = f"http://127.0.0.1:{gateway.settings.rest_port}{TICKS}"
    headers = {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(5), gateway.http.get(url, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        for number in (1, 2, 3):
            line = await answer.content.readline()
            assert json.loads(line.removeprefix(b"data: "))["number"] == number
            assert await answer.content.readline() == b"\n"
    await service.nothing_open()


async def test_an_error_before_the_first_message_is_the_one_error_shape(
    ticking: tuple[Gateway, Ticking], token: str
) -> None:
    answer = await ticking[0].get(f"{TICKS}?refuseAfter=1", token=token)
    assert (answer.status, answer.error["code"]) == (404, "NOT_FOUND")


async def test_an_error_in_the_middle_ends_the_events_over_rest(
    ticking: tuple[Gateway, Ticking], token: str
) -> None:
    answer = await ticking[0].get(f"{TICKS}?refuseAfter=3", token=token)
    assert answer.status == 200
    assert answer.body.count(b"data: ") == 2


async def test_a_stream_whose_time_is_over_says_so_over_grpc_web(
    ticking: tuple[Gateway, Ticking],
) -> None:
    gateway, service = ticking
    answer = await gateway.web("/ticks.v1.TickService/WatchBriefly", service.pb.WatchRequest())
    assert (answer.status, answer.grpc_status) == (200, 14)
    assert answer.body[0] == 0


async def test_head_does_not_open_a_stream(ticking: tuple[Gateway, Ticking], token: str) -> None:
    answer = await ticking[0].call("HEAD", TICKS, token=token)
    assert answer.status == 405


async def test_a_compressed_event_arrives_when_it_is_sent(
    ticking: tuple[Gateway, Ticking], token: str
) -> None:
    gateway, service = ticking
    # Each as large as what Envoy would compress.
    url = f"http://127.0.0.1:{gateway.settings.rest_port}{TICKS}?bytes=2000"
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}
    async with asyncio.timeout(5), gateway.http.get(url, headers=headers) as answer:
        gzipped = answer.headers.get("content-encoding") == "gzip"
        unpack = zlib.decompressobj(wbits=31).decompress if gzipped else bytes
        text = b""
        while text.count(b"\n\n") < 3:
            text += unpack(await answer.content.readany())
            # What is underway is one event at the most, and never a buffer of them.
            assert text.count(b"data: ") <= 4
    await service.nothing_open()


async def test_a_client_that_goes_ends_its_stream_over_grpc_web(
    ticking: tuple[Gateway, Ticking], token: str
) -> None:
    gateway, service = ticking
    url = f"http://127.0.0.1:{gateway.settings.rest_port}{WATCH}"
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": running_gateways.GRPC_WEB,
        "X-Grpc-Web": "1",
    }
    async with (
        asyncio.timeout(5),
        gateway.http.post(url, headers=headers, data=b"\0\0\0\0\0") as answer,
    ):
        for number in (1, 2):
            flags, length = struct.unpack(">BI", await answer.content.readexactly(5))
            message = service.pb.Tick.FromString(await answer.content.readexactly(length))
            assert (flags, message.number) == (0, number)
        assert service.open == 1
    await service.nothing_open()


async def test_a_stream_passes_over_grpc_and_ends_with_its_client(
    ticking: tuple[Gateway, Ticking], token: str
) -> None:
    gateway, service = ticking
    call: Any = gateway.channel.unary_stream(
        WATCH,
        request_serializer=service.pb.WatchRequest.SerializeToString,
        response_deserializer=service.pb.Tick.FromString,
    )(service.pb.WatchRequest(), metadata=[("authorization", f"Bearer {token}")])
    async with asyncio.timeout(5):
        # Longer than a call may take that is no stream.
        assert [(await call.read()).number for _ in range(8)] == [1, 2, 3, 4, 5, 6, 7, 8]
    call.cancel()
    await service.nothing_open()


async def test_a_call_may_take_the_time_that_its_method_names(
    ticking: tuple[Gateway, Ticking],
) -> None:
    gateway, service = ticking
    assert (await gateway.get(f"{WAIT_URL}1800")).status == 200
    request = service.pb.WaitRequest(milliseconds=1800)
    await gateway.native(WAIT, request, service.pb.Tick)
    assert (await gateway.web(WAIT, request)).grpc_status == 0


async def test_a_call_may_take_no_more_than_the_time_that_its_method_names(
    ticking: tuple[Gateway, Ticking],
) -> None:
    gateway, service = ticking
    started = time.monotonic()
    answer = await gateway.get(f"{WAIT_URL}20000")
    assert (answer.status, answer.error["code"]) == (504, "TIMEOUT")
    request = service.pb.WaitRequest(milliseconds=20000)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await gateway.native(WAIT, request, service.pb.Tick)
    assert refusal.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 2 * (3 + SLACK_SECONDS)


def test_a_stop_waits_for_the_longest_call_and_for_no_stream(routed: Routed) -> None:
    settings = routed.settings
    called = [each for each in routed.contract.routed if not each.streaming]
    named = max(each.timeout for each in called if each.timeout is not None)
    assert patience(routed.contract, settings) == named + DRAIN_MARGIN_SECONDS
    slower = settings.model_copy(update={"request_timeout": named + 5.0})
    assert patience(routed.contract, slower) == named + 5 + DRAIN_MARGIN_SECONDS
    assert MAX_CALL_SECONDS == reading.MAX_CALL_SECONDS


async def test_a_gateway_that_stops_finishes_its_calls_and_cuts_its_streams(
    routed: Routed, signer: Signer
) -> None:
    settings = routed.settings.model_copy(update={"stop_delay": 0.0})
    command = launch(settings, find_envoy(), routed.write(), 30)
    with (settings.runtime_dir / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        async with aiohttp.ClientSession() as http:
            base = f"http://127.0.0.1:{settings.rest_port}"
            headers = {"Authorization": f"Bearer {signer.token()}"}
            await eventually(
                lambda: _is_ok(http, f"{base}/api/v1/users/me", headers),
                running_gateways.START_SECONDS,
            )
            stream = await http.get(base + TICKS, headers=headers)
            await stream.content.readline()
            waiting = asyncio.create_task(http.get(f"{base}{WAIT_URL}2000"))
            await asyncio.sleep(0.5)
            started = time.monotonic()
            process.terminate()
            assert (await waiting).status == 200
            async with asyncio.timeout(5):
                assert await process.wait() == 0
            assert 1 < time.monotonic() - started < 2 + SLACK_SECONDS
            with suppress(aiohttp.ClientError):
                await stream.content.read()
            await routed.service.nothing_open()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _is_ok(http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> bool:
    with suppress(aiohttp.ClientError):
        async with http.get(url, headers=headers) as answer:
            return answer.status == 200
    return False


def test_the_ticks_are_streams(ticks: tuple[Any, FileDescriptorSet]) -> None:
    service = ticks[0].DESCRIPTOR.services_by_name["TickService"]
    assert [each.name for each in methods(service) if not each.streaming] == ["Wait"]
