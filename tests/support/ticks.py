"""The tests' own contract (ticks.proto): its modules, and what a gateway needs to route it."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc  # type: ignore[import-untyped]

from edge.gateway.bodies import body_contract
from edge.gateway.settings import ROOT
from edge.gateway.transcoding import transcoder_descriptors
from portico_contract import CONTRACT_FILE, Contract, read
from portico_kit.rpc.server import Server
from tests.gateway.gateway import Gateway, running, settings_for

HERE = Path(__file__).parent


def compiled(out: Path) -> tuple[Any, FileDescriptorSet]:
    """The module that protoc makes, and the descriptor set with all imports.

    Args:
        out: the folder for both.
    """
    google = Path(importlib.import_module("google.api.annotations_pb2").__file__ or "").parents[2]
    places = (HERE, ROOT / "proto", google, Path(protoc.__file__).parent / "_proto")
    rules = ["--include_imports", f"--descriptor_set_out={out}/set", f"--python_out={out}"]
    assert protoc.main(["", *(f"-I{place}" for place in places), *rules, "ticks.proto"]) == 0
    sys.path.insert(0, str(out))
    found = FileDescriptorSet.FromString((out / "set").read_bytes())
    return importlib.import_module("ticks_pb2"), found


def routing(folder: Path, ticks: FileDescriptorSet) -> tuple[Contract, dict[str, Any]]:
    """Our contract and the ticks as one, and the settings of a gateway that routes it.

    Args:
        folder: for the gateway's files; it must not be there yet.
    """
    shutil.copytree(ROOT / "envoy", folder)
    ours = FileDescriptorSet.FromString(CONTRACT_FILE.read_bytes())
    contract = read(ours, ticks)
    both = FileDescriptorSet(
        file={file.name: file for each in (ours, ticks) for file in each.file}.values()
    )
    (folder / "contract.lua").write_text(body_contract(contract.routed))
    transcoder = folder / "transcoder.binpb"
    transcoder.write_bytes(transcoder_descriptors(both).SerializeToString())
    return contract, {"transcoder_file": transcoder, "lua_dir": folder, "jwks_cache": 1}


@asynccontextmanager
async def through_gateway(
    sockets: Path, ticks: FileDescriptorSet, server: Server
) -> AsyncIterator[Gateway]:
    """A gateway in front of a core that serves the ticks beside its own services."""
    contract, changes = routing(sockets / "envoy", ticks)
    await server.listen_unix(sockets / "core.sock")
    async with running(settings_for(sockets, **changes), contract) as gateway:
        yield gateway
