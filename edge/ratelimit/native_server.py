"""The server with pygrpc-native, which receives calls in batches.

The calls that arrive while a batch waits for Valkey are the next one, so the busier the
service is the fewer round trips a call takes.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event, Lock, Thread

import structlog
from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from pygrpc_native import EVENT_CALL, NativeGrpcFront

from edge.ratelimit.service import INTERNAL, MALFORMED, Answer, Failure, Service
from portico_kit.rpc.drain import SHUTTING_DOWN, WRITTEN_SECONDS
from portico_kit.rpc.server import GRACE_SECONDS
from portico_kit.start import claim_socket

# A larger batch would delay its first call for the last one.
MAX_BATCH = 256
HEALTH_METHOD = "/grpc.health.v1.Health/Check"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
REFUSED = Failure(StatusCode.UNAVAILABLE, SHUTTING_DOWN)

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
    claim_socket(path)
    methods = [(f"/{name}/{method}", False), (HEALTH_METHOD, False)]
    front = NativeGrpcFront(f"unix:{path}", methods, io_threads=1)
    front.start()
    # Callers on this socket are trusted, so only our own user may open it.
    os.chmod(path, 0o600)
    drain = _Drain()
    health = _Health(name, ready, drain.begun)
    thread = Thread(target=_serve, args=(front, answer, health, drain), name="batches")
    thread.start()
    try:
        yield
    finally:
        await asyncio.to_thread(drain.finish, GRACE_SECONDS)
        front.close()
        await asyncio.to_thread(thread.join)


class _Drain:
    """Stops without losing the answer of a call that was taken.

    It does for batches what `portico_kit.rpc.drain` does for single calls, and why is said there.
    """

    def __init__(self) -> None:
        self.begun = Event()
        # Held while a batch is answered.
        self.answering = Lock()

    def finish(self, seconds: float) -> None:
        """Refuses new calls, and waits at most so long until those taken are answered."""
        deadline = time.monotonic() + seconds
        self.begun.set()
        if self.answering.acquire(timeout=seconds):
            self.answering.release()
            time.sleep(max(0.0, min(WRITTEN_SECONDS, deadline - time.monotonic())))


def _serve(front: NativeGrpcFront, answer: Service, health: _Health, drain: _Drain) -> None:
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
            with drain.answering:
                serve = _refuse if drain.begun.is_set() else answer
                _respond_all(front, calls, serve, requests)


def _refuse(requests: Sequence[bytes]) -> list[Answer]:
    return [REFUSED] * len(requests)


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

    def __init__(self, name: str, ready: asyncio.Event, stopping: Event) -> None:
        self._names, self._ready, self._stopping = {"", name}, ready, stopping

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
        ready = self._ready.is_set() and not self._stopping.is_set()
        status = health_pb2.HealthCheckResponse(status=SERVING if ready else NOT_SERVING)
        serialized: bytes = status.SerializeToString()
        return serialized
