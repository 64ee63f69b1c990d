"""The server with pygrpc-native, which receives calls in batches.

The calls that arrive while a batch waits for Valkey are the next one, so the busier the
service is the fewer round trips a call takes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread

import structlog
from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from pygrpc_native import EVENT_CALL, NativeGrpcFront

from edge.ratelimit.service import INTERNAL, MALFORMED, Answer, Failure, Service
from portico_kit.start import claim_socket

# A larger batch would delay its first call for the last one.
MAX_BATCH = 256
HEALTH_METHOD = "/grpc.health.v1.Health/Check"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

log = structlog.get_logger("ratelimit")


@asynccontextmanager
async def native_server(
    path: Path, name: str, method: str, answer: Service, ready: asyncio.Event
) -> AsyncIterator[None]:
    """Serves a unary method, and gRPC health, on a unix socket while the context is entered.

    Args:
        path: the socket; a file left there by an earlier process is replaced.
        name: the full name of the gRPC service.
        method: the name of the method.
        answer: from the serialized requests of a batch to its answers; runs in a thread.
        ready: when it is set, the health service reports SERVING.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    claim_socket(path)
    methods = [(f"/{name}/{method}", False), (HEALTH_METHOD, False)]
    front = NativeGrpcFront(f"unix:{path}", methods, io_threads=1)
    front.start()
    # Callers on this socket are trusted, so only our own user may open it.
    os.chmod(path, 0o600)
    thread = Thread(target=_serve, args=(front, answer, _Health(name, ready)), name="batches")
    thread.start()
    try:
        yield
    finally:
        front.close()
        await asyncio.to_thread(thread.join)


def _serve(front: NativeGrpcFront, answer: Service, health: _Health) -> None:
    """Answers until the front is closed."""
    while (events := front.recv_batch(MAX_BATCH)) is not None:
        calls: list[int] = []
        requests: list[bytes] = []
        for kind, call, method, payload, _ in events:
            if kind != EVENT_CALL or payload is None:
                continue
            if method == 0:
                calls.append(call)
                requests.append(payload)
            else:
                _respond_all(front, [call], health.check, [payload])
        if requests:
            _respond_all(front, calls, answer, requests)


def _respond_all(
    front: NativeGrpcFront, calls: Sequence[int], answer: Service, requests: Sequence[bytes]
) -> None:
    """Answers calls. No exception ends the thread, which nothing would start again."""
    try:
        answers = answer(requests)
    except Exception:
        # A bug becomes INTERNAL; its text is for the log alone.
        log.exception("unexpected")
        answers = [INTERNAL] * len(requests)
    for call, one in zip(calls, answers, strict=True):
        try:
            _respond(front, call, one)
        except Exception:
            log.exception("unanswered")


def _respond(front: NativeGrpcFront, call: int, answer: Answer) -> None:
    if isinstance(answer, Failure):
        front.fail(call, answer.code.value[0], answer.message)
    else:
        front.respond(call, answer)


class _Health:
    """grpc.health.v1 for the process and its one service."""

    def __init__(self, name: str, ready: asyncio.Event) -> None:
        self._names, self._ready = {"", name}, ready

    def check(self, payloads: Sequence[bytes]) -> list[Answer]:
        """Answers serialized HealthCheckRequests."""
        return [self._check(payload) for payload in payloads]

    def _check(self, payload: bytes) -> Answer:
        try:
            name = health_pb2.HealthCheckRequest.FromString(payload).service
        except DecodeError:
            return MALFORMED
        if name not in self._names:
            return Failure(StatusCode.NOT_FOUND, "there is no such service")
        ready = self._ready.is_set()
        status = health_pb2.HealthCheckResponse(status=SERVING if ready else NOT_SERVING)
        serialized: bytes = status.SerializeToString()
        return serialized
