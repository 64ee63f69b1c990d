"""When deliveries of a webhook are tried again, and how long an attempt may take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from portico.webhooks.v1.webhook_pb2 import Webhook

from portico_kit.errors import InvalidRequestError
from server.features.webhooks.schedules import CUSTOM, NAMED, PATIENT, STANDARD, Schedule
from tests.core.conftest import Refused
from tests.core.records import event, event_types
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import World

INVALID = grpc.StatusCode.INVALID_ARGUMENT
DAY = 86_400
SIX_DAYS = [DAY] * 6


def schedule_of(webhook: Webhook) -> tuple[str, list[int]]:
    return webhook.retry_schedule, list(webhook.retry_pauses_seconds)


async def test_a_webhook_that_says_nothing_has_the_usual_settings(
    webhook_client: WebhookClient,
) -> None:
    webhook = (await webhook_client.create()).webhook
    assert schedule_of(webhook) == ("standard", [60, 300, 900])
    assert (webhook.timeout_seconds, webhook.signing) == (10, "v1")
    assert (list(webhook.header_names), webhook.public_key) == ([], "")


async def test_schedule_and_time_out_are_chosen_and_changed(
    webhook_client: WebhookClient, world: World
) -> None:
    created = await webhook_client.create(
        retry_schedule="custom", retry_pauses_seconds=[1, DAY], timeout_seconds=30
    )
    webhook = created.webhook
    assert (schedule_of(webhook), webhook.timeout_seconds) == (("custom", [1, DAY]), 30)
    assert await webhook_client.get(webhook.id) == webhook
    # Its pauses alone, then the name alone.
    changed = await webhook_client.update(webhook.id, retry_pauses_seconds=[7])
    assert schedule_of(changed.webhook) == ("custom", [7])
    changed = await webhook_client.update(webhook.id, retry_schedule="patient", timeout_seconds=1)
    assert schedule_of(changed.webhook)[0] == "patient"
    assert sum(changed.webhook.retry_pauses_seconds) == 75 * 3600 + 35 * 60 + 5
    assert len(changed.webhook.retry_pauses_seconds) == 9
    assert changed.webhook.timeout_seconds == 1
    told = await event_types(world, webhook_client.organization_id)
    assert told.count("webhook.updated") == 2
    back = await webhook_client.update(webhook.id, retry_schedule="standard")
    assert schedule_of(back.webhook) == ("standard", [60, 300, 900])


async def test_what_was_read_can_be_sent_back(webhook_client: WebhookClient, world: World) -> None:
    webhook = (await webhook_client.create(retry_schedule="patient")).webhook
    read = {"retry_schedule": "patient", "retry_pauses_seconds": webhook.retry_pauses_seconds}
    assert (await webhook_client.update(webhook.id, **read)).webhook == webhook
    assert "webhook.updated" not in await event_types(world, webhook_client.organization_id)
    told = await event(world, webhook_client.organization_id, "webhook.created")
    assert (told.data["retrySchedule"], told.data["timeoutSeconds"]) == ("patient", 10)


@pytest.mark.parametrize(
    ("fields", "blamed", "reason"),
    [
        ({"retry_schedule": "exponential"}, "retry_schedule", "STRING_IN"),
        ({"retry_schedule": "custom"}, "retry_pauses_seconds", "REQUIRED"),
        ({"retry_pauses_seconds": [60]}, "retry_pauses_seconds", "SCHEDULE_NOT_CUSTOM"),
        (
            {"retry_schedule": "patient", "retry_pauses_seconds": [5]},
            "retry_pauses_seconds",
            "SCHEDULE_NOT_CUSTOM",
        ),
        (
            {"retry_schedule": "custom", "retry_pauses_seconds": [1] * 21},
            "retry_pauses_seconds",
            "REPEATED_MAX_ITEMS",
        ),
        (
            {"retry_schedule": "custom", "retry_pauses_seconds": [1, 0]},
            "retry_pauses_seconds[1]",
            "UINT32_GTE_LTE",
        ),
        (
            {"retry_schedule": "custom", "retry_pauses_seconds": [DAY + 1]},
            "retry_pauses_seconds[0]",
            "UINT32_GTE_LTE",
        ),
        (
            {"retry_schedule": "custom", "retry_pauses_seconds": [*SIX_DAYS, DAY, 1]},
            "retry_pauses_seconds",
            "SCHEDULE_TOO_LONG",
        ),
        ({"timeout_seconds": 0}, "timeout_seconds", "UINT32_GTE_LTE"),
        ({"timeout_seconds": 31}, "timeout_seconds", "UINT32_GTE_LTE"),
    ],
)
async def test_what_breaks_a_rule_is_refused_by_its_field(
    webhook_client: WebhookClient,
    refused: Refused,
    fields: dict[str, Any],
    blamed: str,
    reason: str,
) -> None:
    webhook = (await webhook_client.create()).webhook
    for attempt in (webhook_client.create(**fields), webhook_client.update(webhook.id, **fields)):
        found = await refused(attempt, INVALID, "VALIDATION_ERROR")
        assert (found.fields, found.reasons) == ((blamed,), (reason,))
    assert await webhook_client.get(webhook.id) == webhook


async def test_neither_schedule_nor_time_out_can_be_cleared(
    webhook_client: WebhookClient, refused: Refused
) -> None:
    webhook = (await webhook_client.create()).webhook
    names = ["retry_schedule", "retry_pauses_seconds", "timeout_seconds", "signing"]
    attempt = webhook_client.update(webhook.id, update_mask=FieldMask(paths=names))
    found = await refused(attempt, INVALID, "VALIDATION_ERROR")
    assert found.fields == tuple(names)


def test_the_longest_schedule_is_seven_days() -> None:
    assert Schedule().changed_to(CUSTOM, [*SIX_DAYS, DAY]).pauses == [*SIX_DAYS, DAY]
    with pytest.raises(InvalidRequestError):
        Schedule().changed_to(CUSTOM, [*SIX_DAYS, DAY, 1])


@pytest.mark.parametrize(
    ("before", "name", "pauses", "after"),
    [
        (Schedule(), None, None, Schedule()),
        (Schedule(), STANDARD, [60, 300, 900], Schedule()),
        (Schedule(), PATIENT, None, Schedule(PATIENT, list(NAMED[PATIENT]))),
        (Schedule(CUSTOM, [5]), None, [6, 7], Schedule(CUSTOM, [6, 7])),
        (Schedule(CUSTOM, [5]), CUSTOM, None, Schedule(CUSTOM, [5])),
        (Schedule(CUSTOM, [5]), STANDARD, None, Schedule()),
    ],
)
def test_a_schedule_changes_by_its_name_or_its_pauses(
    before: Schedule, name: str | None, pauses: Sequence[int] | None, after: Schedule
) -> None:
    assert before.changed_to(name, pauses) == after


def test_the_pauses_of_another_schedule_do_not_make_a_custom_one() -> None:
    with pytest.raises(InvalidRequestError):
        Schedule(PATIENT, list(NAMED[PATIENT])).changed_to(CUSTOM, None)
