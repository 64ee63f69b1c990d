"""Listing event types: every one that the contract knows, explained."""

from __future__ import annotations

from portico.webhooks.v1 import webhook_service_pb2 as pb

from portico_contract import event_types
from server.app import EVENTS
from server.common.event_names import ALIASES
from tests.core.world import World


def test_every_event_type_of_the_contract_is_described_and_no_other() -> None:
    assert set(EVENTS) == {*event_types(), *ALIASES}
    assert all(text.endswith(".") for text in EVENTS.values())


async def test_anyone_may_see_what_can_be_subscribed_to(world: World) -> None:
    answer = await world.webhooks.ListEventTypes(pb.ListEventTypesRequest())
    shown = {kind.name: kind.description for kind in answer.event_types}
    assert shown == EVENTS
    assert list(shown) == sorted(shown)
