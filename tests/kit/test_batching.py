"""Those who ask in the same tick share a query, and none of them can spoil it for the others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from portico_kit.batching import BatchLoader


class Shelf:
    """Answers look-ups and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.broken = False

    async def fetch(self, keys: Sequence[int]) -> Mapping[int, str]:
        self.asked.append(list(keys))
        await asyncio.sleep(0)
        if self.broken:
            raise ConnectionError("the shelf fell")
        return {key: f"book {key}" for key in keys if key < 100}


async def test_one_tick_is_one_query() -> None:
    shelf = Shelf()
    loader = BatchLoader(shelf.fetch)
    found = await asyncio.gather(loader.load(1), loader.load(2), loader.load(1), loader.load(100))
    assert list(found) == ["book 1", "book 2", "book 1", None]
    assert shelf.asked == [[1, 2, 100]]


async def test_the_next_tick_asks_anew() -> None:
    shelf = Shelf()
    loader = BatchLoader(shelf.fetch)
    await loader.load(1)
    await loader.load(1)
    assert shelf.asked == [[1], [1]]


async def test_a_failed_query_fails_for_all_and_the_next_one_works() -> None:
    shelf = Shelf()
    loader = BatchLoader(shelf.fetch)
    shelf.broken = True
    results = await asyncio.gather(loader.load(1), loader.load(2), return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError, ConnectionError]
    shelf.broken = False
    assert await loader.load(1) == "book 1"


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    shelf = Shelf()
    loader = BatchLoader(shelf.fetch)
    first, second = (asyncio.create_task(loader.load(1)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "book 1"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_while_queries_run_those_who_come_wait_and_go_together() -> None:
    shelf = Shelf()
    loader = BatchLoader(shelf.fetch)

    async def ask(key: int) -> str | None:
        # Each in a tick of its own.
        for _ in range(key):
            await asyncio.sleep(0)
        return await loader.load(key)

    found = await asyncio.gather(*(ask(key) for key in range(30)))
    assert found == [f"book {key}" for key in range(30)]
    assert len(shelf.asked) < 20


async def test_a_crowd_is_served_in_batches_of_bounded_size() -> None:
    shelf = Shelf()
    loader = BatchLoader(shelf.fetch)
    await asyncio.gather(*(loader.load(key) for key in range(1200)))
    assert sorted(len(batch) for batch in shelf.asked) == [200, 500, 500]


async def test_a_batch_is_no_larger_than_the_loader_was_told() -> None:
    shelf = Shelf()
    loader = BatchLoader(shelf.fetch, largest_batch=2)
    await asyncio.gather(*(loader.load(key) for key in range(5)))
    assert [len(batch) for batch in shelf.asked] == [2, 2, 1]


async def test_many_are_loaded_at_once_and_what_is_not_there_is_left_out() -> None:
    shelf = Shelf()
    loader = BatchLoader(shelf.fetch)
    found, other = await asyncio.gather(loader.load_all([1, 100, 1, 2]), loader.load(2))
    assert found == {1: "book 1", 2: "book 2"}
    assert other == "book 2"
    assert shelf.asked == [[1, 100, 2]]


async def test_nothing_is_asked_for_nothing() -> None:
    shelf = Shelf()
    assert await BatchLoader(shelf.fetch).load_all([]) == {}
    assert shelf.asked == []
