"""Promises about what Prometheus is told, read from the port that it reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import grpc
import pytest
from envoy.service.ratelimit.v3.rls_pb2_grpc import RateLimitServiceStub
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from cli.run.watchdog import Watchdog
from portico_kit.edge_state.limits import LIMITS_HASH, LimitsDocument
from portico_kit.testing.ports import free_ports
from tests.ratelimit.harness import Gateway, somebody
from tests.ratelimit.test_process import running
from tests.stack import running_valkey
from tests.support.addresses import new_address

Counts = dict[tuple[str, str], float]


class Watched:
    """A service as a process, asked as Envoy does and read as Prometheus does."""

    def __init__(self, gateway: Gateway, port: int) -> None:
        self.gateway = gateway
        self._url = f"http://127.0.0.1:{port}/metrics"

    async def counts(self, name: str) -> Counts:
        """The samples of a counter, by rule and by its other label."""
        async with aiohttp.ClientSession() as client, client.get(self._url) as answer:
            assert answer.status == 200
            families = text_string_to_metric_families(await answer.text())
        samples = [sample for family in families for sample in family.samples]
        return {
            (sample.labels["rule"], sample.labels.get("outcome") or sample.labels["window"]): (
                sample.value
            )
            for sample in samples
            if sample.name == f"portico_ratelimit_{name}_total"
        }


@asynccontextmanager
async def watched(valkey_url: str, folder: Path, **settings: str) -> AsyncIterator[Watched]:
    """A service that has decided nothing yet."""
    (port,) = free_ports(1)
    process = running(
        "ratelimit",
        redis_url=valkey_url,
        runtime_dir=str(folder),
        ratelimit_metrics_port=str(port),
        ratelimit_timeout="5",
        **settings,
    )
    async with process, grpc.aio.insecure_channel(f"unix:{folder}/ratelimit.sock") as channel:
        await asyncio.wait_for(channel.channel_ready(), 20)
        yield Watched(Gateway(RateLimitServiceStub(channel)), port)


async def test_decisions_are_counted_by_rule_and_outcome(
    valkey_url: str, short_folder: Path
) -> None:
    async with watched(valkey_url, short_folder / "counted") as service:
        caller, address = somebody(), new_address()
        for _ in range(3):
            await service.gateway.ask(subject=caller, cost=4)
        await service.gateway.ask(subject=caller, category="write")
        await service.gateway.ask(address=address, category="login")
        assert await service.counts("decisions") == {
            ("read", "admitted"): 2,
            ("read", "refused"): 1,
            ("write", "admitted"): 1,
            ("login", "admitted"): 1,
        }


async def test_a_window_is_near_its_limit_at_four_fifths(
    valkey_url: str, short_folder: Path
) -> None:
    async with watched(valkey_url, short_folder / "near") as service:
        caller = somebody()
        await service.gateway.ask(subject=caller, tier="enterprise", cost=79)
        assert await service.counts("near_limit") == {}
        await service.gateway.ask(subject=caller, tier="enterprise", cost=5)
        assert await service.counts("near_limit") == {("read", "burst"): 1}
        await service.gateway.ask(subject=caller, tier="enterprise", cost=99)  # refused
        assert await service.counts("near_limit") == {("read", "burst"): 1}


async def test_what_shadows_would_have_refused_is_counted_by_rule(
    valkey_url: str, valkey: Redis, short_folder: Path
) -> None:
    organization = somebody()
    limits = LimitsDocument(shadow_rules=["write.burst"])
    await valkey.hset(LIMITS_HASH, organization, limits.json)
    trial = watched(valkey_url, short_folder / "shadows", ratelimit_shadow="register.minute")
    async with trial as service:
        address, caller = new_address(), somebody()
        for _ in range(5):
            assert (await service.gateway.ask(address=address, category="register")).admitted
        for _ in range(8):
            await service.gateway.ask(subject=caller, organization=organization, category="write")
        assert await service.counts("shadowed") == {
            ("register", "minute"): 2,
            ("write", "burst"): 3,
        }


async def test_what_could_not_be_decided_is_counted_by_rule(
    short_folder: Path, watchdog: Watchdog
) -> None:
    url = f"unix://{short_folder}/passing/valkey.sock"
    async with AsyncExitStack() as valkey:
        await valkey.enter_async_context(running_valkey(short_folder / "passing", watchdog))
        async with watched(url, short_folder / "undecided") as service:
            await service.gateway.ask(subject=somebody())
            await valkey.aclose()
            for category in ("read", "login", "login"):
                with pytest.raises(grpc.aio.AioRpcError):
                    await service.gateway.ask(address=new_address(), category=category)
            assert await service.counts("decisions") == {
                ("read", "admitted"): 1,
                ("read", "unavailable"): 1,
                ("login", "unavailable"): 2,
            }
