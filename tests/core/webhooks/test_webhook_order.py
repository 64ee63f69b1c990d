"""The limits and the order of a webhook: what is taken, and what a change does."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from server.features.webhooks.names import DELIVERY_TASK
from tests.core.conftest import Refused
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World


async def test_without_a_word_about_them_there_is_neither_limit_nor_order(
    webhook_client: WebhookClient,
) -> None:
    webhook = (await webhook_client.create("key.updated")).webhook
    assert (webhook.max_per_second, webhook.max_in_flight) == (0, 0)
    assert (webhook.ordering, webhook.order_by) == ("none", "")
    await webhook_client.happen("a", "a")
    shown = await webhook_client.deliveries(webhook.id)
    assert [each.waiting_for for each in shown] == ["", ""]


async def test_they_are_set_changed_and_cleared(webhook_client: WebhookClient) -> None:
    given = {"max_per_second": 1000, "max_in_flight": 100, "ordering": "field"}
    webhook = (await webhook_client.create(**given, order_by="data.owner.id")).webhook
    assert webhook == await webhook_client.get(webhook.id)
    assert (webhook.max_per_second, webhook.max_in_flight) == (1000, 100)
    assert (webhook.ordering, webhook.order_by) == ("field", "data.owner.id")
    await webhook_client.update(webhook.id, max_per_second=5, order_by="type")
    mask = FieldMask(paths=["max_in_flight"])
    changed = (await webhook_client.update(webhook.id, update_mask=mask)).webhook
    assert (changed.max_per_second, changed.max_in_flight) == (5, 0)
    assert (changed.ordering, changed.order_by) == ("field", "type")
    # The field belongs to the order by a field, and goes with it.
    changed = (await webhook_client.update(webhook.id, ordering="webhook")).webhook
    assert (changed.ordering, changed.order_by) == ("webhook", "")


BAD: list[tuple[str, dict[str, Any]]] = [
    ("max_per_second", {"max_per_second": 0}),
    ("max_per_second", {"max_per_second": 1001}),
    ("max_in_flight", {"max_in_flight": 0}),
    ("max_in_flight", {"max_in_flight": 101}),
    ("ordering", {"ordering": "fifo"}),
    ("order_by", {"ordering": "field"}),
    ("order_by", {"order_by": "data.id"}),
    ("order_by", {"ordering": "webhook", "order_by": "data.id"}),
    *(
        ("order_by", {"ordering": "field", "order_by": path})
        for path in ("data", "data.", "id.data", "data..id", "data.a b", "data" + ".a" * 9)
    ),
]


async def test_what_is_wrong_is_named(webhook_client: WebhookClient, refused: Refused) -> None:
    webhook_id = (await webhook_client.create()).webhook.id
    for field, values in BAD:
        for attempt in (
            webhook_client.create(**values),
            webhook_client.update(webhook_id, **values),
        ):
            found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
            assert found.fields == (field,), values
    assert (await webhook_client.get(webhook_id)).ordering == "none"


async def test_a_delivery_shows_what_it_waits_for(webhook_client: WebhookClient) -> None:
    fields = {"ordering": "field", "order_by": "data.id"}
    webhook_id = (await webhook_client.create("key.updated", **fields)).webhook.id
    await webhook_client.happen("a", "b", "a")
    first, other, second = await webhook_client.deliveries(webhook_id)
    assert (first.waiting_for, other.waiting_for, second.waiting_for) == ("", "", "order")
    assert not second.HasField("next_attempt_at")
    shown = await webhook_client.delivery(second.id)
    assert (shown.blocked_by, shown.waiting_for) == (first.id, "order")
    assert (await webhook_client.delivery(first.id)).blocked_by == ""


async def test_what_is_due_to_a_webhook_with_limits_shows_that_it_waits_for_them(
    webhook_client: WebhookClient,
) -> None:
    webhook_id = (await webhook_client.create("key.updated", max_per_second=1)).webhook.id
    await webhook_client.happen("a")
    (listed,) = await webhook_client.deliveries(webhook_id)
    assert listed.waiting_for == (await webhook_client.delivery(listed.id)).waiting_for == "limit"


async def test_what_is_pending_takes_its_place_in_a_new_order_and_leaves_it(
    webhook_client: WebhookClient, world: World
) -> None:
    async def blocked() -> list[bool]:
        shown = await webhook_client.deliveries(webhook_id)
        return [each.waiting_for == "order" for each in shown]

    webhook_id = (await webhook_client.create("key.updated")).webhook.id
    await webhook_client.happen("a", "b", "a")
    test = await webhook_client.test(webhook_id)
    world.notifier.tasks.clear()
    await webhook_client.update(webhook_id, ordering="webhook")
    assert await blocked() == [False, True, True, False]
    await webhook_client.update(webhook_id, ordering="field", order_by="data.id")
    assert await blocked() == [False, False, True, False]
    await webhook_client.happen("b", "c")
    assert await blocked() == [False, False, True, False, True, False]
    await webhook_client.update(webhook_id, ordering="none")
    assert await blocked() == [False] * 6
    assert DELIVERY_TASK in world.notifier.tasks
    assert (await webhook_client.delivery(test.id)).waiting_for == ""


@pytest.mark.parametrize("status", [204, 500])
async def test_the_next_goes_when_the_first_has_ended_well_or_not(
    webhook_client: WebhookClient, status: int
) -> None:
    webhook_id = (await webhook_client.create("key.updated", ordering="webhook")).webhook.id
    await webhook_client.happen("a", "b", "c")
    first, second, third = await webhook_client.deliveries(webhook_id)
    await webhook_client.attempt(first.id, status)
    await webhook_client.work()
    assert (await webhook_client.delivery(second.id)).blocked_by == ""
    assert (await webhook_client.delivery(third.id)).blocked_by == second.id
