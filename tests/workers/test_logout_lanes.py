"""An application that is slow to hear of a sign-out delays nobody else's."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID, uuid4

from server.features.oauth.logout_lanes import MOST_TO_ONE, MOST_TO_SLOW, SLOTS, Call, Lanes
from server.features.oauth.logout_repository import Claim

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def begin_all(lanes: Lanes, owners: dict[UUID, UUID]) -> list[Call]:
    """Begins a call for each turn, as if there were ever more to do."""
    begun = []
    while found := lanes.next_turns():
        lane, turns = found
        for application_id, count in turns.items():
            for _ in range(count):
                claim = Claim(uuid4(), NOW, uuid4(), application_id, uuid4(), 0)
                call = Call(claim, owners[application_id], lane, 0.0)
                lanes.begin(call)
                begun.append(call)
    return begun


def test_one_application_has_few_calls_at_once() -> None:
    lanes, application, owner = Lanes(), uuid4(), uuid4()
    lanes.add(application, owner)
    assert len(begin_all(lanes, {application: owner})) == MOST_TO_ONE


def test_an_organization_with_many_applications_leaves_room_for_the_next() -> None:
    lanes, owner, other = Lanes(), uuid4(), uuid4()
    owners = {uuid4(): owner for _ in range(50)}
    for application in owners:
        lanes.add(application, owner)
    assert len(begin_all(lanes, owners)) == SLOTS // 2
    late = uuid4()
    lanes.add(late, other)
    assert len(begin_all(lanes, {**owners, late: other})) == MOST_TO_ONE


def test_calls_that_last_hold_no_slot_of_those_that_are_quick() -> None:
    lanes = Lanes()
    owners = {uuid4(): uuid4() for _ in range(50)}
    for application, owner in owners.items():
        lanes.add(application, owner)
    hanging = begin_all(lanes, owners)
    late = uuid4()
    owners[late] = uuid4()
    lanes.add(late, owners[late])
    # However many hang, there is one for who comes next.
    [first] = begin_all(lanes, owners)
    assert (first.claim.application_id, len(hanging)) == (late, SLOTS - 1)
    for call in hanging:
        lanes.outlast(call)
    for application, owner in owners.items():
        lanes.add(application, owner)
    begun = Counter(call.claim.application_id for call in begin_all(lanes, owners))
    assert begun[late] == MOST_TO_ONE - 1
    # Those who hang have as much under way as a slow one may have at once, or one less.
    assert max(count for each, count in begun.items() if each != late) == 1


def test_who_was_slow_has_few_calls_until_it_answers_quickly() -> None:
    lanes, application, owner = Lanes(), uuid4(), uuid4()
    owners = {application: owner}
    lanes.add(application, owner)
    for call in begin_all(lanes, owners):
        lanes.outlast(call)
        lanes.end(call, was_quick=False)
    lanes.add(application, owner)
    slow = begin_all(lanes, owners)
    assert len(slow) == MOST_TO_SLOW
    for call in slow:
        lanes.end(call, was_quick=True)
    lanes.add(application, owner)
    assert len(begin_all(lanes, owners)) == MOST_TO_ONE
