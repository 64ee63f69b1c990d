"""Promises about counting: every request that is let in, once, also those from memory."""

from __future__ import annotations

import pytest

from edge.authorize import usage
from edge.settings import AuthorizeSettings
from portico_kit.testing.fake_core import FakeCore, Key
from portico_kit.testing.waiting import eventually
from portico_kit.tokens import new_api_key
from tests.authorize.harness import running_edge


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are sent more often than every five seconds."""
    monkeypatch.setattr(usage, "INTERVAL_SECONDS", 0.1)


async def test_uses_arrive_at_the_core_by_themselves(
    settings: AuthorizeSettings, core: FakeCore
) -> None:
    async with running_edge(settings, core) as edge:
        key = core.add(Key())
        for _ in range(7):
            assert await edge.status(key.secret) == 200

        async def arrived() -> bool:
            return core.used[key.id] == 7

        await eventually(arrived)
        assert core.last_used[key.id] == edge.clock.now


async def test_the_last_uses_are_sent_when_the_service_stops(
    settings: AuthorizeSettings, core: FakeCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "INTERVAL_SECONDS", 60.0)
    async with running_edge(settings, core) as edge:
        key = core.add(Key())
        await edge.check(key.secret)
        assert core.used[key.id] == 0
    assert core.used[key.id] == 1


async def test_a_batch_whose_answer_was_lost_counts_once(
    settings: AuthorizeSettings, core: FakeCore
) -> None:
    core.records = False
    async with running_edge(settings, core) as edge:
        key = core.add(Key())
        await edge.check(key.secret)

        async def arrived() -> bool:
            return core.used[key.id] == 1

        await eventually(arrived)
        await edge.check(key.secret)
        core.records = True
    assert core.used[key.id] == 2


async def test_a_core_that_is_down_loses_no_use(
    settings: AuthorizeSettings, core: FakeCore
) -> None:
    async with running_edge(settings, core) as edge:
        await edge.settle()
        key = core.add(Key())
        await eventually(lambda: edge.remembers(key.secret))
        counted = core.used[key.id]
        await core.stop()
        for _ in range(3):
            assert await edge.status(key.secret) == 200
        await core.start()

        async def arrived() -> bool:
            return core.used[key.id] >= counted + 3

        await eventually(arrived)


async def test_what_is_refused_is_no_use(settings: AuthorizeSettings, core: FakeCore) -> None:
    async with running_edge(settings, core) as edge:
        key = core.add(Key(scopes=["keys:read"], allowed_cidrs=["192.0.2.0/24"]))
        assert (await edge.check(key.secret, "keys:write")).status == 403
        assert (await edge.check(key.secret, address="198.51.100.1")).status == 403
        assert await edge.status(new_api_key("live")) == 401
    assert core.used.total() == 0


async def test_more_keys_than_fit_into_a_batch_all_arrive(
    settings: AuthorizeSettings, core: FakeCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "MAX_BATCH_KEYS", 2)
    async with running_edge(settings, core) as edge:
        keys = [core.add(Key()) for _ in range(5)]
        for key in keys:
            await edge.check(key.secret)
    assert core.used == {key.id: 1 for key in keys}
