"""Promises about secrets that other systems made: which are looked up, and what strangers learn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from edge.settings import AuthorizeSettings
from portico_kit.edge_state.imported_keys import (
    ANY_PREFIX,
    IMPORTED_PREFIXES,
    IMPORTED_PREFIXES_CHANNEL,
    PREFIXES_COMPLETE,
)
from portico_kit.testing.fake_core import FakeCore, Key
from portico_kit.testing.waiting import eventually
from portico_kit.tokens import new_api_key
from tests.authorize.harness import Edge, running_edge

SHORT_PREFIX = "acme_l"


def foreign(brand: str = "acme") -> str:
    """A secret that another system made."""
    return f"{brand}_live_{uuid4().hex}"


async def imported(valkey: Redis, *prefixes: str) -> None:
    """The core publishes short prefixes."""
    await valkey.sadd(IMPORTED_PREFIXES, *prefixes)
    await valkey.publish(IMPORTED_PREFIXES_CHANNEL, "")


@pytest.fixture(autouse=True)
async def published(valkey: Redis) -> AsyncIterator[None]:
    """The core has published all short prefixes: there is one."""
    await valkey.sadd(IMPORTED_PREFIXES, PREFIXES_COMPLETE, SHORT_PREFIX)
    yield
    await valkey.delete(IMPORTED_PREFIXES)


async def test_an_imported_key_is_let_in_like_any_other(edge: Edge) -> None:
    key = edge.core.add(Key(secret=foreign()))
    result = await edge.check(key.secret)
    assert result.headers["authorization"] == f"Bearer token-for-{key.id}"
    assert await edge.remembers(key.secret)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("other_live_00000000000000000001", id="another prefix"),
        pytest.param("acme_live_00000", id="too short"),
        pytest.param("acme_live_" + "0" * 503, id="too long"),
        pytest.param("acme_live_0000 00000000000000001", id="a blank in it"),
        pytest.param("acme_live_000000000000000\u00e900001", id="not ASCII"),
        pytest.param(new_api_key("test")[:-1] + "!", id="one of ours, mistyped"),
    ],
)
async def test_what_cannot_be_an_imported_key_never_reaches_the_core(
    edge: Edge, secret: str
) -> None:
    assert await edge.status(secret) == 401
    assert edge.core.asked == 0


async def test_a_new_prefix_counts_within_a_second_also_for_what_was_refused(
    edge: Edge, valkey: Redis
) -> None:
    secret, same_prefix = foreign("other"), foreign()
    assert [await edge.status(each) for each in (secret, same_prefix)] == [401, 401]
    for each in (secret, same_prefix):
        edge.core.add(Key(secret=each))
    await imported(valkey, "other_")

    async def both() -> bool:
        return [await edge.status(each) for each in (secret, same_prefix)] == [200, 200]

    assert await eventually(both) < 1.0


async def test_when_prefixes_are_too_many_every_foreign_secret_is_looked_up(
    edge: Edge, valkey: Redis
) -> None:
    secret = foreign("other")
    edge.core.add(Key(secret=secret))
    await imported(valkey, ANY_PREFIX)

    async def good() -> bool:
        return await edge.status(secret) == 200

    assert await eventually(good) < 1.0


async def test_what_an_emptied_valkey_does_not_say_is_still_known(
    edge: Edge, valkey: Redis
) -> None:
    key = edge.core.add(Key(secret=foreign()))
    await valkey.delete(IMPORTED_PREFIXES)
    await imported(valkey, "other_")
    await asyncio.sleep(0.2)
    assert await edge.status(key.secret) == 200


async def test_until_the_core_has_told_all_a_customer_is_not_turned_away(
    settings: AuthorizeSettings, core: FakeCore, valkey: Redis
) -> None:
    await valkey.delete(IMPORTED_PREFIXES)
    key = core.add(Key(secret=foreign()))
    async with running_edge(settings, core) as edge:
        assert await edge.status(key.secret) == 200


async def seconds(edge: Edge, secret: str, wanted: int) -> float:
    """How long an answer takes."""
    began = time.monotonic()
    assert await edge.status(secret) == wanted
    return time.monotonic() - began


async def test_time_does_not_tell_whether_a_hash_had_to_be_computed(edge: Edge) -> None:
    """No sooner than a hash takes, whether there is one; once refused, from memory."""
    secrets = foreign(), foreign()
    edge.core.pauses[secrets[1]] = 0.3
    unknown, compared = await asyncio.gather(*(seconds(edge, each, 401) for each in secrets))
    assert 0.5 <= unknown < 0.8
    assert 0.5 <= compared < 0.8
    for secret in secrets:
        assert await seconds(edge, secret, 401) < 0.2


async def test_nor_does_asking_again_meanwhile(edge: Edge) -> None:
    secret = foreign()
    first = asyncio.create_task(edge.status(secret))
    await asyncio.sleep(0.25)
    assert await seconds(edge, secret, 401) > 0.2
    assert await first == 401


async def test_a_good_key_does_not_wait_and_a_slow_hash_is_waited_for(edge: Edge) -> None:
    hashed = edge.core.add(Key(secret=foreign()))
    edge.core.pauses[hashed.secret] = 1.0
    slow = asyncio.create_task(seconds(edge, hashed.secret, 200))
    await asyncio.sleep(0.1)
    for other in (edge.core.add(Key(secret=foreign())), edge.core.add(Key())):
        assert await seconds(edge, other.secret, 200) < 0.4
    assert await slow >= 1.0


async def test_a_core_that_takes_too_long_is_503_and_not_remembered(edge: Edge) -> None:
    key = edge.core.add(Key(secret=foreign()))
    edge.core.pauses[key.secret] = 3.0
    assert await edge.status(key.secret) == 503
    edge.core.pauses.clear()
    assert await edge.status(key.secret) == 200
