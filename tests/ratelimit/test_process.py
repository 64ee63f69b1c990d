"""Promises about the edge services as processes, with each engine."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.ratelimit.harness import descriptor

FULL = Path("/dev/full")

NAMES = {
    "authorize": "envoy.service.auth.v3.Authorization",
    "ratelimit": "envoy.service.ratelimit.v3.RateLimitService",
}


@asynccontextmanager
async def running(
    service: str, stderr: int = asyncio.subprocess.PIPE, /, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The service as a process of its own.

    Args:
        stderr: where its log goes.
    """
    variables = {f"PORTICO_{name.upper()}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"from edge.{service}.main import main; main()",
        env={**os.environ, **variables},
        stderr=stderr,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def health(socket: Path, service: str) -> int:
    """What a health check says, once the socket answers."""
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(request, timeout=20, wait_for_ready=True)
        return int(answer.status)


@pytest.mark.parametrize("engine", ["pygrpc-native", "grpcio"])
@pytest.mark.parametrize("service", ["authorize", "ratelimit"])
async def test_a_service_is_healthy_private_and_stops_cleanly(
    service: str, engine: str, valkey_url: str, short_folder: Path
) -> None:
    folder = short_folder / f"{service}-{engine}"
    socket = folder / f"{service}.sock"
    settings = {"redis_url": valkey_url, "runtime_dir": str(folder), "grpc_engine": engine}
    async with running(service, internal_token="t" * 32, **settings) as process:
        assert await health(socket, "") == health_pb2.HealthCheckResponse.SERVING
        assert await health(socket, NAMES[service]) == health_pb2.HealthCheckResponse.SERVING
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("engine", ["pygrpc-native", "grpcio"])
@pytest.mark.parametrize(
    ("service", "method"), [("authorize", "Check"), ("ratelimit", "ShouldRateLimit")]
)
async def test_a_log_that_cannot_be_written_changes_no_answer(
    service: str, method: str, engine: str, short_folder: Path
) -> None:
    folder = short_folder / f"unwritten-{service}-{engine}"
    socket = folder / f"{service}.sock"
    # Neither Valkey nor the core is there: each call has something to log.
    settings = {
        "redis_url": f"unix://{folder}/none.sock",
        "runtime_dir": str(folder),
        "grpc_engine": engine,
        "internal_token": "t" * 32,
        "log_level": "debug",
    }
    one = descriptor({"subject": "somebody", "tier": "none", "category": "none"})
    limits = RateLimitRequest(domain="portico", descriptors=[one])
    keys = CheckRequest()
    keys.attributes.request.http.headers["x-api-key"] = "pk_test_none"
    request = limits if service == "ratelimit" else keys
    full = os.open(FULL, os.O_WRONLY)
    try:
        async with (
            running(service, full, **settings) as process,
            grpc.aio.insecure_channel(f"unix:{socket}") as channel,
        ):
            await health(socket, "")
            call: Any = channel.unary_unary(f"/{NAMES[service]}/{method}")
            for _ in range(5):
                if service == "authorize":
                    answer = await call(request.SerializeToString(), timeout=5)
                    assert CheckResponse.FromString(answer).denied_response.status.code == 401
                    continue
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call(request.SerializeToString(), timeout=5)
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert process.returncode is None
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        os.close(full)


@pytest.mark.parametrize(
    ("service", "settings", "wrong"),
    [
        ("ratelimit", {}, "PORTICO_REDIS_URL"),
        ("ratelimit", {"redis_url": "http://somewhere"}, "PORTICO_REDIS_URL"),
        ("ratelimit", {"redis_url": "redis://x", "grpc_engine": "fast"}, "PORTICO_GRPC_ENGINE"),
        (
            "ratelimit",
            {"redis_url": "redis://x", "ratelimit_shadow": "login,gold.minute"},
            "PORTICO_RATELIMIT_SHADOW",
        ),
        ("authorize", {"redis_url": "redis://x"}, "PORTICO_INTERNAL_TOKEN"),
        (
            "authorize",
            {"redis_url": "redis://x", "internal_token": "hunter2"},
            "PORTICO_INTERNAL_TOKEN",
        ),
    ],
)
async def test_a_wrong_setting_is_one_clear_line(
    service: str, settings: dict[str, str], wrong: str
) -> None:
    async with running(service, **settings) as process:
        _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    (line,) = errors.decode().splitlines()
    assert wrong in line
    assert "hunter2" not in line
