"""How each dependency is tried."""

from __future__ import annotations

from collections.abc import Mapping

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from portico_kit.tasks.notifier import WORKERS_ALIVE
from server.features.health.service import Probe


def probes(
    engine: AsyncEngine, redis: Redis, authorize: aio.Channel, ratelimit: aio.Channel
) -> Mapping[str, Probe]:
    """A probe for everything that the platform needs to do its work."""

    async def postgresql() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("select 1"))

    async def valkey() -> None:
        await redis.echo("ready?")

    async def workers() -> None:
        if not await redis.exists(WORKERS_ALIVE):
            raise ConnectionError("no worker is alive")

    return {
        "postgresql": postgresql,
        "valkey": valkey,
        "authorize": _grpc_health(authorize),
        "ratelimit": _grpc_health(ratelimit),
        "workers": workers,
    }


def _grpc_health(channel: aio.Channel) -> Probe:
    stub = health_pb2_grpc.HealthStub(channel)

    async def probe() -> None:
        answer = await stub.Check(health_pb2.HealthCheckRequest())
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise ConnectionError("not serving")

    return probe
