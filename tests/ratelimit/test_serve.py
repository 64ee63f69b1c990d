"""Promises about what every edge service does with its own mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import grpc
import pytest
from envoy.service.ratelimit.v3.rls_pb2_grpc import (
    RateLimitServiceServicer,
    RateLimitServiceStub,
    add_RateLimitServiceServicer_to_server,
)

from edge.serve import serving
from portico_kit.settings import Engine
from tests.ratelimit.harness import Gateway


class Broken(RateLimitServiceServicer):  # type: ignore[misc]
    """A service with a bug in it."""

    async def ShouldRateLimit(self, request: Any, context: Any) -> None:
        raise LookupError("postgresql://portico:hunter2@db")


@pytest.mark.parametrize("engine", get_args(Engine))
async def test_a_surprise_is_internal_and_says_nothing(engine: Engine, short_folder: Path) -> None:
    socket = short_folder / f"broken-{engine}.sock"
    async with (
        serving(
            "broken",
            socket,
            engine,
            lambda server: add_RateLimitServiceServicer_to_server(Broken(), server),
        ),
        grpc.aio.insecure_channel(f"unix:{socket}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await Gateway(RateLimitServiceStub(channel)).send([])
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "hunter2" not in str(caught.value)
