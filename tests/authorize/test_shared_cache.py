"""Promises about what edge processes share, and about how it is taken away from all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from redis.asyncio import Redis

from edge.authorize import main
from edge.authorize.entry_cipher import EntryCipher
from edge.settings import AuthorizeSettings
from portico_kit.edge_state.cache_invalidation import CacheInvalidator, entry_name
from portico_kit.testing.clocks import NOON
from portico_kit.testing.fake_core import INTERNAL_TOKEN, FakeCore, Key
from portico_kit.testing.waiting import eventually
from portico_kit.tokens import new_api_key
from tests.authorize.harness import Edge, running_edge


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Valkey is waited for, however busy the machine is."""
    monkeypatch.setattr(main, "SHARED_TIMEOUT_SECONDS", 5.0)


@dataclass(frozen=True)
class Fleet:
    """Two edge processes, their common core, and a way to start a third."""

    first: Edge
    second: Edge
    core: FakeCore
    valkey: Redis

    async def share(self, key: Key) -> None:
        """Has the first process verify a key and leave it where the second finds it."""
        assert await self.first.status(key.secret) == 200
        name = entry_name(EntryCipher(INTERNAL_TOKEN).name(key.secret))

        async def written() -> bool:
            return bool(await self.valkey.exists(name))

        await eventually(written)
        self.core.asked = 0


@pytest.fixture
async def fleet(
    settings: AuthorizeSettings, core: FakeCore, edge: Edge, valkey: Redis, runtime_dir: Path
) -> AsyncIterator[Fleet]:
    """A second process beside the first: its own socket, the same core and Valkey."""
    async with AsyncExitStack() as stack:
        folder = runtime_dir / "b"
        folder.mkdir()
        (folder / "core.sock").symlink_to(settings.core_socket)
        beside = settings.model_copy(update={"runtime_dir": folder})
        second = await stack.enter_async_context(running_edge(beside, core))
        await second.settle()
        yield Fleet(edge, second, core, valkey)


async def test_what_one_process_has_verified_the_next_does_not_ask(fleet: Fleet) -> None:
    key = fleet.core.add(Key(scopes=["keys:read"], tier="basic"))
    await fleet.share(key)
    result = await fleet.second.check(key.secret, "keys:read")
    assert result.headers == (await fleet.first.check(key.secret, "keys:read")).headers
    assert fleet.core.asked == 0


async def test_a_revoked_key_is_refused_by_every_process_within_a_second(fleet: Fleet) -> None:
    key = fleet.core.add(Key())
    await fleet.share(key)
    assert await fleet.second.status(key.secret) == 200
    fleet.core.revoke(key)
    await CacheInvalidator(fleet.valkey).key_changed(UUID(key.id))

    async def refused() -> bool:
        answers = [await edge.status(key.secret) for edge in (fleet.first, fleet.second)]
        return answers == [401, 401]

    assert await eventually(refused) < 1


async def test_a_revoked_key_is_refused_by_a_process_that_never_saw_it(fleet: Fleet) -> None:
    key = fleet.core.add(Key())
    await fleet.share(key)
    fleet.core.revoke(key)
    await CacheInvalidator(fleet.valkey).key_changed(UUID(key.id))
    assert await fleet.second.status(key.secret) == 401


async def test_a_change_of_an_organization_takes_its_keys_from_the_shared_memory(
    fleet: Fleet,
) -> None:
    key = fleet.core.add(Key())
    await fleet.share(key)
    await CacheInvalidator(fleet.valkey).organization_changed(UUID(key.organization_id))
    assert not await fleet.second.remembers(key.secret)


async def test_what_a_change_overtook_is_not_shared(fleet: Fleet) -> None:
    key = fleet.core.add(Key())
    fleet.core.after_look = lambda: CacheInvalidator(fleet.valkey).key_changed(UUID(key.id))
    assert await fleet.first.status(key.secret) == 200
    fleet.core.after_look = None
    assert await fleet.valkey.exists(entry_name(EntryCipher(INTERNAL_TOKEN).name(key.secret))) == 0
    assert not await fleet.second.remembers(key.secret)


async def test_what_is_shared_ends_by_itself_after_a_minute(fleet: Fleet) -> None:
    key = fleet.core.add(Key(expires_at=NOON + timedelta(hours=1)))
    await fleet.share(key)
    assert (
        0
        < await fleet.valkey.pttl(entry_name(EntryCipher(INTERNAL_TOKEN).name(key.secret)))
        <= 60_000
    )
    fleet.second.clock.advance(seconds=60)
    assert not await fleet.second.remembers(key.secret)


async def test_nothing_of_a_key_can_be_read_in_valkey(fleet: Fleet) -> None:
    key = fleet.core.add(Key())
    await fleet.share(key)
    entry = await fleet.valkey.get(entry_name(EntryCipher(INTERNAL_TOKEN).name(key.secret)))
    assert isinstance(entry, bytes)
    for plaintext in (key.secret, key.id, f"token-for-{key.id}"):
        assert plaintext.encode() not in entry
    # Neither the secret alone nor our own token alone opens it.
    assert EntryCipher("another-token" * 3).decrypt(key.secret, entry) is None
    assert EntryCipher(INTERNAL_TOKEN).decrypt(new_api_key("test"), entry) is None
    assert EntryCipher(INTERNAL_TOKEN).decrypt(key.secret, entry) is not None


@pytest.mark.parametrize("junk", [b"", b"x", b"x" * 200], ids=["empty", "short", "long"])
async def test_what_somebody_else_wrote_there_is_not_believed(fleet: Fleet, junk: bytes) -> None:
    key = fleet.core.add(Key())
    await fleet.valkey.set(entry_name(EntryCipher(INTERNAL_TOKEN).name(key.secret)), junk)
    assert await fleet.first.status(key.secret) == 200
    assert fleet.core.asked == 1


async def test_a_made_up_key_leaves_nothing_in_valkey(fleet: Fleet) -> None:
    seals = EntryCipher(INTERNAL_TOKEN)
    made_up = [new_api_key("live") for _ in range(5)]
    for secret in made_up:
        assert await fleet.first.status(secret) == 401
    # Entries are written in their order: when a later one is there, these would be, too.
    await fleet.share(fleet.core.add(Key(scopes=["keys:read"])))
    assert await fleet.valkey.exists(*(entry_name(seals.name(secret)) for secret in made_up)) == 0
