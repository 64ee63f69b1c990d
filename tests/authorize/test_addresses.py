"""Promises about where a key may be used from."""

from __future__ import annotations

from uuid import UUID

import pytest
from redis.asyncio import Redis

from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.testing.fake_core import Key
from portico_kit.testing.waiting import eventually
from tests.authorize.harness import Edge

OFFICE_NETWORKS = ["192.0.2.0/24", "2001:db8:7::/48"]


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8:7::9", "::ffff:192.0.2.7"])
async def test_a_key_may_be_used_from_its_networks(edge: Edge, address: str) -> None:
    key = edge.core.add(Key(allowed_cidrs=OFFICE_NETWORKS))
    assert (await edge.check(key.secret, address=address)).status == 200


@pytest.mark.parametrize("address", ["192.0.3.1", "2001:db8:8::9", "::1", "", "nonsense"])
async def test_from_anywhere_else_it_is_403_and_says_so(edge: Edge, address: str) -> None:
    key = edge.core.add(Key(allowed_cidrs=OFFICE_NETWORKS))
    result = await edge.check(key.secret, address=address)
    assert result.status == 403
    assert result.headers["x-error-code"] == "ADDRESS_NOT_ALLOWED"


@pytest.mark.parametrize("address", ["192.0.3.1", "2001:db8:8::9", ""])
async def test_a_key_without_a_list_may_be_used_from_anywhere(edge: Edge, address: str) -> None:
    key = edge.core.add(Key())
    assert (await edge.check(key.secret, address=address)).status == 200


async def test_a_remembered_key_is_held_against_the_address_each_time(edge: Edge) -> None:
    key = edge.core.add(Key(allowed_cidrs=OFFICE_NETWORKS))
    assert (await edge.check(key.secret, address="192.0.2.1")).status == 200
    assert (await edge.check(key.secret, address="198.51.100.1")).status == 403
    assert edge.core.asked == 1


async def test_a_new_list_counts_within_a_second(edge: Edge, valkey: Redis) -> None:
    key = edge.core.add(Key(allowed_cidrs=OFFICE_NETWORKS))
    assert (await edge.check(key.secret, address="192.0.2.1")).status == 200
    key.allowed_cidrs = ["198.51.100.0/24"]
    await CacheInvalidator(valkey).key_changed(UUID(key.id))

    async def refused() -> bool:
        return (await edge.check(key.secret, address="192.0.2.1")).status == 403

    assert await eventually(refused) < 1
    assert (await edge.check(key.secret, address="198.51.100.1")).status == 200
