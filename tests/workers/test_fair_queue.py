"""Promises about whose turn it is, without receivers or a database."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from hypothesis import given, settings
from hypothesis.strategies import DataObject, data, integers, lists, permutations, tuples

from server.common.fair_queue import FairQueue


class Lane:
    """A lane as a deliverer uses it: every turn becomes an attempt."""

    def __init__(self, slots: int, share: int) -> None:
        self.under_way: Counter[UUID] = Counter()
        self.queue = FairQueue(slots, share, self.under_way)
        self.attempts: list[tuple[UUID, UUID]] = []

    def add(self, organization: int, webhook: int) -> None:
        self.queue.add(*names(organization, webhook))

    def start(self, limit: int = 1000) -> Counter[int]:
        """Takes turns, and gives how many each organization got."""
        started: Counter[int] = Counter()
        for webhook, count in self.queue.take_turns(limit).items():
            for _ in range(count):
                self.begin(webhook)
            started[webhook.int >> 32] += count
        return started

    def begin(self, webhook: UUID) -> None:
        organization = UUID(int=webhook.int >> 32)
        self.under_way[webhook] += 1
        self.queue.hold(webhook, organization)
        self.attempts.append((webhook, organization))

    def finish(self, place: int) -> None:
        webhook, organization = self.attempts.pop(place % len(self.attempts))
        self.under_way[webhook] -= 1
        self.queue.release(organization)
        self.queue.unpark(webhook)


def names(organization: int, webhook: int) -> tuple[UUID, UUID]:
    """The ids of a webhook and of its organization."""
    return UUID(int=(organization << 32) + webhook), UUID(int=organization)


def test_one_organization_alone_leaves_half_of_the_lane_free() -> None:
    lane = Lane(slots=100, share=20)
    for webhook in range(100):
        lane.add(1, webhook)
    assert lane.start() == {1: 50}


def test_whoever_comes_next_finds_a_slot_however_many_webhooks_the_others_have() -> None:
    lane = Lane(slots=100, share=20)
    for organization in range(1, 6):
        for webhook in range(100):
            lane.add(organization, webhook)
    assert max(lane.start().values()) <= 18
    lane.add(6, 1)
    assert lane.start()[6] >= 1


def test_a_webhook_has_its_share_and_no_more() -> None:
    lane = Lane(slots=100, share=20)
    lane.add(1, 1)
    assert lane.start() == {1: 20}
    assert lane.start() == {}
    for _ in range(10):
        lane.finish(0)
    assert lane.start() == {1: 10}


def test_what_is_put_in_while_its_claim_is_out_stays_in() -> None:
    lane = Lane(slots=10, share=5)
    webhook, organization = names(1, 1)
    lane.queue.add(webhook, organization)
    lane.queue.take_turns(1)
    lane.queue.add(webhook, organization)
    lane.queue.discard(webhook)
    assert webhook in lane.queue
    lane.queue.take_turns(1)
    lane.queue.discard(webhook)
    assert webhook not in lane.queue


@settings(deadline=None)
@given(
    slots=integers(1, 12),
    share=integers(1, 5),
    webhooks=lists(tuples(integers(1, 5), integers(1, 6)), min_size=1, max_size=20, unique=True),
    draw=data(),
)
def test_nobody_starves_and_no_share_is_passed(
    slots: int, share: int, webhooks: list[tuple[int, int]], draw: DataObject
) -> None:
    """Whatever is ready gets a slot within a bounded number of attempts, in whatever order
    others finish, even if all of them always have more."""
    lane = Lane(slots, share)
    for organization, webhook in draw.draw(permutations(webhooks)):
        lane.add(organization, webhook)
    waiting = {names(*each)[0] for each in webhooks}
    for number in range(40 * len(webhooks)):
        lane.start(draw.draw(integers(1, 5)) if len(waiting) < 3 else 3)
        assert len(lane.attempts) == lane.queue.held <= slots
        assert all(count <= share for count in lane.under_way.values())
        waiting -= {webhook for webhook, _ in lane.attempts}
        if not waiting:
            return
        if lane.attempts:
            # The newest ends first, which is the hardest to live with; every attempt ends.
            lane.finish(0 if number % 3 == 0 else -1)
    raise AssertionError(f"{len(waiting)} never had a turn")
