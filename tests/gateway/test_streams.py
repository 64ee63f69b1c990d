"""A stream passes the gateway message by message, in each protocol."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc  # type: ignore[import-untyped]

from edge.gateway.bodies import body_contract
from edge.gateway.bootstrap import render
from edge.gateway.settings import ROOT
from edge.gateway.transcoding import transcoder_descriptors
from portico_contract import CONTRACT_FILE, methods, read
from portico_kit.call import Call, Records
from portico_kit.clock import utc_now
from portico_kit.errors import NotFoundError
from portico_kit.rpc.errors import Errors
from portico_kit.rpc.pipeline import Pipeline
from portico_kit.rpc.server import pipeline_server
from portico_kit.service import Service
from tests.gateway import gateway as running_gateways
from tests.gateway.backends import Backends
from tests.gateway.gateway import Gateway, running, settings_for
from tests.gateway.tokens import Signer

HERE = ROOT / "tests" / "core" / "rpc" / "ticks"
TICKS = "/api/v1/ticks"


@pytest.fixture(scope="session")
def ticks_set(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorSet:
    out = tmp_path_factory.mktemp("ticks")
    google = Path(importlib.import_module("google.api.annotations_pb2").__file__ or "").parents[2]
    places = (HERE, ROOT / "proto", google, Path(protoc.__file__).parent / "_proto")
    rules = ["--include_imports", f"--descriptor_set_out={out}/set", f"--python_out={out}"]
    assert protoc.main(["", *(f"-I{place}" for place in places), *rules, "ticks.proto"]) == 0
    sys.path.insert(0, str(out))
    return FileDescriptorSet.FromString((out / "set").read_bytes())


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
                yield self.pb.Tick(number=number)
                await asyncio.sleep(0.2)
            raise NotFoundError
        finally:
            self.open -= 1

    WatchBriefly = Watch


@pytest.fixture
async def ticking(
    short_folder: Path,
    signer: Signer,
    ticks_set: FileDescriptorSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[Gateway, Ticking]]:
    pb = importlib.import_module("ticks_pb2")
    folder = short_folder / f"st-{tmp_path.name[-10:]}"
    shutil.copytree(ROOT / "envoy", folder)
    ours = FileDescriptorSet.FromString(CONTRACT_FILE.read_bytes())
    contract = read(ours, ticks_set)
    both = FileDescriptorSet(
        file={file.name: file for each in (ours, ticks_set) for file in each.file}.values()
    )
    (folder / "contract.lua").write_text(body_contract(contract.routed))
    transcoder = folder / "transcoder.binpb"
    transcoder.write_bytes(transcoder_descriptors(both).SerializeToString())
    backends = Backends(folder, keys=[signer.public])
    await backends.start()
    # The stream's own core, in the pipeline without the steps that ask the database.
    service = Ticking(pb)
    nothing = Records(event=_never, audit_entry=_never)
    streams = pipeline_server(
        "pygrpc-native",
        Pipeline(Errors(), [], utc_now, nothing),
        [Service(pb.DESCRIPTOR.services_by_name["TickService"], service)],
    )
    await streams.listen_unix(folder / "streams.sock")
    settings = settings_for(folder, transcoder_file=transcoder, lua_dir=folder, jwks_cache=1)

    def write(_settings: Any) -> Path:
        config = json.dumps(render(contract, settings))
        before, name, after = config.partition('"name": "streams"')
        path = folder / "envoy.json"
        path.write_text(before + name + after.replace("core.sock", "streams.sock", 1))
        return path

    monkeypatch.setattr(running_gateways, "write_config", write)
    async with running(settings) as gateway:
        await gateway.becomes(200, "/api/v1/users/me", token=signer.token())
        yield gateway, service
    await streams.stop()
    await backends.stop()


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
    async with asyncio.timeout(1):
        while service.open:  # noqa: ASYNC110 - the servicer does not know who waits
            await asyncio.sleep(0.02)


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


def test_the_ticks_are_streams(ticks_set: FileDescriptorSet) -> None:
    service = importlib.import_module("ticks_pb2").DESCRIPTOR.services_by_name["TickService"]
    assert all(method.streaming for method in methods(service))
