"""A constant load on a platform, which knows what became of each request.

What counts is what a caller sees: an answer in full, a refusal before the
request was taken (nobody listens, or gRPC says that the server shuts down), or
a cut, which is anything else.

A caller of gRPC whose request crosses the server's GOAWAY sees its connection
close, whether the request was taken or not. So does who has a new connection that
nobody has accepted yet when the server stops to listen. Such requests are kept by
their id: what was taken stands in the server's log.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import uuid4

import grpc.aio
from portico.auth.v1 import auth_service_pb2, auth_service_pb2_grpc

from tests.support.addresses import new_address

ANSWERED, REFUSED, CUT = "answered", "refused", "cut"
PAUSE_SECONDS = 0.01
# What gRPC says when it did not reach the server, or the server took nothing more.
UNTAKEN = ("failed to connect", "shutting down", "Connection refused")
# The server closed on purpose (RFC 9113, section 6.8), and the request met it on its way.
CROSSED = "GOAWAY received; Error code: 0;"
# The kernel has made the connection, and ends it with those that nobody has accepted.
NEVER_ACCEPTED = f"{CUT}:REST ConnectionResetError("

Call = Callable[[], Awaitable[str]]


class Load:
    """Callers that call again and again until they are stopped.

    Args:
        rest_port: the port of the gateway on 127.0.0.1.
        grpc_port: the port of the core on 127.0.0.1.
    """

    def __init__(self, rest_port: int, grpc_port: int) -> None:
        self.seen: Counter[str] = Counter()
        self.cuts: list[str] = []
        self.crossed: dict[str, str] = {}  # what was said, by request id
        self._rest_port = rest_port
        self._grpc_ports = {"the gateway": rest_port, "the core": grpc_port}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Load:
        for _ in range(3):
            self._tasks.append(asyncio.create_task(self._keep_alive()))
            self._tasks.append(asyncio.create_task(self._repeat(self._new_connection)))
            for door, port in self._grpc_ports.items():
                self._tasks.append(asyncio.create_task(self._grpc(door, port)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, call: Call) -> None:
        while True:
            self._count(await call())
            await asyncio.sleep(PAUSE_SECONDS)

    def _count(self, outcome: str) -> None:
        kind, _, reason = outcome.partition(":")
        self.seen[kind] += 1
        if reason:
            self.cuts.append(reason)

    async def _new_connection(self) -> str:
        try:
            connection = await asyncio.open_connection("127.0.0.1", self._rest_port)
        except OSError:
            return REFUSED
        outcome, _ = await self._sign_in_first(*connection)
        return outcome

    async def _sign_in_first(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, bool]:
        """The first request of a connection, which perhaps nobody has accepted."""
        request_id = str(uuid4())
        outcome, goes_on = await sign_in(reader, writer, request_id)
        if outcome.startswith(NEVER_ACCEPTED):
            self.crossed[request_id] = outcome
            return REFUSED, False
        return outcome, goes_on

    async def _keep_alive(self) -> None:
        """One connection for many requests, and the next when the server closes it."""
        while True:
            try:
                connection = await asyncio.open_connection("127.0.0.1", self._rest_port)
            except OSError:
                self._count(REFUSED)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            outcome, goes_on = await self._sign_in_first(*connection)
            self._count(outcome)
            while goes_on:
                await asyncio.sleep(PAUSE_SECONDS)
                outcome, goes_on = await sign_in(*connection)
                self._count(outcome)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _grpc(self, door: str, port: int) -> None:
        options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
            stub = auth_service_pb2_grpc.AuthServiceStub(channel)
            await self._repeat(lambda: self._sign_in_with(stub, door))

    async def _sign_in_with(self, stub: auth_service_pb2_grpc.AuthServiceStub, door: str) -> str:
        """The same as `sign_in` over gRPC."""
        request = auth_service_pb2.LoginRequest(email="nobody@example.com", password="wrong wrong")
        request_id = str(uuid4())
        metadata = [("x-forwarded-for", new_address()), ("x-request-id", request_id)]
        try:
            await stub.Login(request, metadata=metadata, timeout=20)
        except grpc.aio.AioRpcError as error:
            details = error.details() or ""
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                return ANSWERED
            if CROSSED in details:
                self.crossed[request_id] = f"gRPC at {door}: {details}"
                return REFUSED
            refused = any(word in details for word in UNTAKEN)
            return REFUSED if refused else f"{CUT}:gRPC at {door}: {details}"
        return ANSWERED


async def sign_in(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request_id: str = ""
) -> tuple[str, bool]:
    """Signs in with a wrong password, and says what came of it and if the connection goes on."""
    body = json.dumps({"email": "nobody@example.com", "password": "wrong wrong wrong"})
    head = (
        f"POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {new_address()}\r\n"
        f"x-request-id: {request_id or uuid4()}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    goes_on = False
    try:
        writer.write((head + body).encode())
        await writer.drain()
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in answer.split("\r\n")[1:] if ": " in line)
        length = int(headers.get("content-length", "0"))
        if "content-length" in headers:
            await reader.readexactly(length)
        else:
            await read_chunks(reader)
        goes_on = headers.get("connection") != "close"
    except (OSError, asyncio.IncompleteReadError) as error:
        return f"{CUT}:REST {error!r}", False
    finally:
        if not goes_on:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    return ANSWERED, goes_on


async def read_chunks(reader: asyncio.StreamReader) -> None:
    """Reads a chunked body to its end."""
    size = -1
    while size != 0:
        size = int(await reader.readline(), 16)
        await reader.readexactly(size + 2)
