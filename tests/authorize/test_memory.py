"""Promises about what is remembered, and about when it is forgotten."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from redis.asyncio import Redis

from cli.run.watchdog import Watchdog
from edge.settings import AuthorizeSettings
from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.ids import new_id
from portico_kit.testing.clocks import NOON
from portico_kit.testing.fake_core import FakeCore, Key
from portico_kit.testing.waiting import eventually
from portico_kit.tokens import new_api_key
from tests.authorize.harness import Edge, running_edge
from tests.stack import running_valkey


async def test_the_second_request_does_not_ask_the_core(edge: Edge) -> None:
    key = edge.core.add(Key())
    assert [await edge.status(key.secret) for _ in range(5)] == [200] * 5
    assert edge.core.asked == 1


async def test_however_many_wait_the_core_is_asked_once(edge: Edge) -> None:
    key = edge.core.add(Key())
    edge.core.answers.clear()
    waiting = [asyncio.create_task(edge.status(key.secret)) for _ in range(50)]
    await asyncio.sleep(0.1)
    edge.core.answers.set()
    assert await asyncio.gather(*waiting) == [200] * 50
    assert edge.core.asked == 1


async def test_keys_that_come_at_the_same_time_are_asked_about_together(edge: Edge) -> None:
    keys = [edge.core.add(Key()) for _ in range(40)]
    secrets = [key.secret for key in keys] + [new_api_key("test") for _ in range(10)]
    edge.core.answers.clear()
    checks = [asyncio.create_task(edge.check(secret)) for secret in secrets]
    await asyncio.sleep(0.1)
    edge.core.answers.set()
    verdicts = await asyncio.gather(*checks)
    subjects = [result.headers.get("x-auth-subject") for result in verdicts]
    # Each its own answer: a stranger's key among them harms nobody.
    assert subjects == [key.id for key in keys] + [None] * 10
    assert edge.core.asked == 50
    assert edge.core.calls < 10


async def test_a_core_that_hangs_is_503_in_time_for_those_in_line_too(edge: Edge) -> None:
    edge.core.answers.clear()
    waiting = [asyncio.create_task(edge.status(new_api_key("test")))]
    for _ in range(4):
        await asyncio.sleep(0.05)
        waiting.append(asyncio.create_task(edge.status(new_api_key("test"))))
    began = time.monotonic()
    assert await asyncio.gather(*waiting) == [503] * 5
    assert time.monotonic() - began < 1.0
    edge.core.answers.set()


async def test_a_caller_that_hangs_up_does_not_take_the_answer_from_the_others(
    edge: Edge,
) -> None:
    key = edge.core.add(Key())
    edge.core.answers.clear()
    first, second = (asyncio.create_task(edge.status(key.secret)) for _ in range(2))
    await asyncio.sleep(0.1)
    first.cancel()
    edge.core.answers.set()
    assert await second == 200
    assert edge.core.asked == 1


async def test_a_key_is_asked_about_again_after_five_minutes(edge: Edge) -> None:
    key = edge.core.add(Key(expires_at=NOON + timedelta(hours=1)))
    await edge.check(key.secret)
    edge.clock.advance(seconds=299)
    assert await edge.remembers(key.secret)
    edge.clock.advance(seconds=1)
    assert not await edge.remembers(key.secret)


async def test_a_key_is_never_remembered_up_to_the_end_of_its_token(edge: Edge) -> None:
    key = edge.core.add(Key(expires_at=NOON + timedelta(seconds=60)))
    await edge.check(key.secret)
    edge.clock.advance(seconds=49)
    assert await edge.remembers(key.secret)
    edge.clock.advance(seconds=1)
    assert not await edge.remembers(key.secret)
    assert not await edge.remembers(key.secret)


async def test_a_refusal_is_remembered_for_ten_seconds(edge: Edge) -> None:
    secret = new_api_key("live")
    await edge.check(secret)
    edge.clock.advance(seconds=9)
    assert await edge.remembers(secret)
    edge.clock.advance(seconds=1)
    assert not await edge.remembers(secret)


async def test_a_core_that_was_down_is_not_remembered_as_a_refusal(edge: Edge) -> None:
    key = edge.core.add(Key())
    edge.core.answers.clear()
    assert await edge.status(key.secret) == 503
    edge.core.answers.set()
    assert await edge.status(key.secret) == 200


async def test_a_revoked_key_is_refused_within_a_second(edge: Edge, valkey: Redis) -> None:
    key = edge.core.add(Key())
    assert await edge.status(key.secret) == 200
    edge.core.revoke(key)
    await CacheInvalidator(valkey).key_changed(UUID(key.id))

    async def refused() -> bool:
        return await edge.status(key.secret) == 401

    assert await eventually(refused) < 1


async def test_the_cores_own_announcement_is_understood(edge: Edge, valkey: Redis) -> None:
    key = edge.core.add(Key())
    await edge.check(key.secret)
    await CacheInvalidator(valkey).key_changed(UUID(key.id))

    async def forgotten() -> bool:
        return not await edge.remembers(key.secret)

    assert await eventually(forgotten) < 1


async def test_a_change_of_an_organization_drops_all_of_its_keys(edge: Edge, valkey: Redis) -> None:
    organization_id = str(new_id())
    keys = [edge.core.add(Key(organization_id=organization_id)) for _ in range(3)]
    other = edge.core.add(Key())
    for key in [*keys, other]:
        await edge.check(key.secret)
    await CacheInvalidator(valkey).organization_changed(UUID(organization_id))

    async def forgotten() -> bool:
        return not await edge.remembers(keys[0].secret)

    assert await eventually(forgotten) < 1
    assert not await edge.remembers(keys[1].secret)
    assert not await edge.remembers(keys[2].secret)
    assert await edge.remembers(other.secret)


async def test_an_answer_that_a_revocation_overtook_is_not_remembered(
    edge: Edge, valkey: Redis
) -> None:
    key = edge.core.add(Key())
    edge.core.answers.clear()
    waiting = asyncio.create_task(edge.status(key.secret))
    await eventually(lambda: edge.core.asked == 1)  # it has looked, and has not answered yet
    edge.core.revoke(key)
    await CacheInvalidator(valkey).key_changed(UUID(key.id))
    await asyncio.sleep(0.3)
    edge.core.answers.set()
    assert await waiting == 200
    assert await edge.status(key.secret) == 401


async def test_who_asks_after_a_revocation_does_not_get_an_older_answer(
    edge: Edge, valkey: Redis
) -> None:
    key = edge.core.add(Key())
    edge.core.answers.clear()
    early = asyncio.create_task(edge.status(key.secret))
    await eventually(lambda: edge.core.asked == 1)
    edge.core.revoke(key)
    await CacheInvalidator(valkey).key_changed(UUID(key.id))
    await asyncio.sleep(0.3)
    late = asyncio.create_task(edge.status(key.secret))
    await asyncio.sleep(0.05)
    edge.core.answers.set()
    assert [await early, await late] == [200, 401]


async def test_a_broken_subscription_empties_the_memory_and_heals(
    edge: Edge, valkey: Redis
) -> None:
    key = edge.core.add(Key())
    await edge.check(key.secret)
    edge.core.revoke(key)
    await valkey.client_kill_filter(_type="pubsub")
    await CacheInvalidator(valkey).key_changed(UUID(key.id))  # nobody listens

    async def refused() -> bool:
        return await edge.status(key.secret) == 401

    assert await eventually(refused) < 1
    again = edge.core.add(Key())
    await eventually(lambda: edge.remembers(again.secret))


async def test_without_valkey_nothing_is_remembered_and_keys_still_work(
    settings: AuthorizeSettings, core: FakeCore, short_folder: Path, watchdog: Watchdog
) -> None:
    folder = short_folder / f"mortal-{settings.grpc_engine}"
    async with AsyncExitStack() as stack:
        async with running_valkey(folder, watchdog) as url:
            alone = settings.model_copy(update={"redis_url": url})
            edge = await stack.enter_async_context(running_edge(alone, core))
            await edge.settle()
            key = core.add(Key())
            await edge.check(key.secret)

        async def forgotten() -> bool:
            return not await edge.remembers(key.secret)

        assert await eventually(forgotten) < 1
        assert await edge.status(key.secret) == 200
        assert not await edge.remembers(key.secret)
        async with running_valkey(folder, watchdog):
            await eventually(lambda: edge.remembers(key.secret))


async def test_a_valkey_that_hangs_is_noticed(edge: Edge, valkey: Redis) -> None:
    key = edge.core.add(Key())
    await edge.check(key.secret)
    await valkey.client_pause(3000)

    async def forgotten() -> bool:
        return not await edge.remembers(key.secret)

    assert await eventually(forgotten) < 3.5
