"""A running gateway: real Envoy with the generated configuration, and ways to call it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from google.protobuf.message import Message
from multidict import CIMultiDict
from yarl import URL

from edge.gateway.main import envoy_arguments, find_envoy, read_contract, write_config
from edge.gateway.settings import ROOT, GatewaySettings
from portico_contract import Contract
from portico_kit.testing.ports import free_port
from portico_kit.testing.waiting import eventually
from tests.gateway.tokens import ORIGIN
from tests.support.http import HttpResponse

STOP_SECONDS = 5.0
START_SECONDS = 30.0  # on a busy machine; on an idle one it is one at the most
ANSWER_SECONDS = 30.0  # on a busy machine
POLL_SECONDS = 0.02
GRPC_WEB = "application/grpc-web+proto"


@dataclass(frozen=True)
class Gateway:
    """The public port of a running Envoy."""

    settings: GatewaySettings
    http: aiohttp.ClientSession
    channel: grpc.aio.Channel

    async def call(
        self,
        verb: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | None = None,
    ) -> HttpResponse:
        """One request; the path goes out as it is written."""
        url = URL(f"http://127.0.0.1:{self.settings.rest_port}{path}", encoded=True)
        sent = CIMultiDict({"Accept-Encoding": "identity", **_bearer(token)})
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        async with self.http.request(verb, url, headers=sent, json=json, data=data) as answer:
            return HttpResponse(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **options: Any) -> HttpResponse:
        """A GET."""
        return await self.call("GET", path, **options)

    async def becomes(
        self, status: int, path: str, *, token: str | None = None, seconds: float = ANSWER_SECONDS
    ) -> None:
        """Waits until a GET has this status."""

        async def has_status() -> bool:
            return (await self.get(path, token=token)).status == status

        await eventually(has_status, seconds)

    async def web(self, path: str, request: Message, *, token: str | None = None) -> HttpResponse:
        """A gRPC-Web call (one message in a frame)."""
        payload = request.SerializeToString()
        frame = b"\0" + len(payload).to_bytes(4, "big") + payload
        headers = {"content-type": GRPC_WEB, "x-grpc-web": "1"}
        return await self.call("POST", path, token=token, headers=headers, data=frame)

    async def native(
        self, path: str, request: Message, response: type[Message], *, token: str | None = None
    ) -> Message:
        """A gRPC call; raises `grpc.aio.AioRpcError`."""
        method: grpc.aio.UnaryUnaryMultiCallable[Message, Message] = self.channel.unary_unary(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        metadata = [(name.lower(), value) for name, value in _bearer(token).items()]
        answer: Message = await method(request, metadata=metadata, timeout=ANSWER_SECONDS)
        return answer


def _bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def settings_for(runtime_dir: Path, **changes: Any) -> GatewaySettings:
    """Settings of a gateway on a free port, with the files of this checkout."""
    values = {
        "runtime_dir": runtime_dir,
        "rest_port": free_port(),
        "transcoder_file": ROOT / "envoy" / "transcoder.binpb",
        "lua_dir": ROOT / "envoy",
        "openapi_file": ROOT / "generated" / "openapi.json",
        "access_log": runtime_dir / "access.log",
        "public_url": f"{ORIGIN}/",
        "cors_origins": ("https://app.example.com",),
        "address_rate": 100_000,
        "limiter_timeout": 5,  # what is counted must not depend on how busy the machine is
    }
    return GatewaySettings.model_validate({**values, **changes})


@asynccontextmanager
async def running(
    settings: GatewaySettings, contract: Contract | None = None
) -> AsyncIterator[Gateway]:
    """Envoy with the configuration for the settings, stopped again at the end.

    Args:
        contract: what it routes; the installed one if none is given.
    """
    config = write_config(settings, contract or read_contract(settings))
    arguments = envoy_arguments(settings, config)
    with (settings.runtime_dir / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(find_envoy()), *arguments, stdout=log, stderr=log
        )
    target = f"127.0.0.1:{settings.rest_port}"
    try:
        await _listening(process, settings)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as http,
            grpc.aio.insecure_channel(target) as channel,
        ):
            yield Gateway(settings, http, channel)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(STOP_SECONDS):
            assert await process.wait() == 0


async def _listening(process: asyncio.subprocess.Process, settings: GatewaySettings) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            assert process.returncode is None, (settings.runtime_dir / "envoy.log").read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", settings.rest_port)
            except OSError:
                await asyncio.sleep(POLL_SECONDS)
            else:
                writer.close()
                return


def unframed(body: bytes) -> bytes:
    """The message in a gRPC-Web answer."""
    length = int.from_bytes(body[1:5], "big")
    return body[5 : 5 + length]


def basic(user: str, password: str) -> str:
    """An Authorization header of another scheme."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
