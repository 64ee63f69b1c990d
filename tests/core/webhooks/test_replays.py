"""Starting, watching and cancelling a replay: who may, of what, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.webhooks.v1 import replay_service_pb2 as pb
from portico.webhooks.v1 import webhook_service_pb2 as webhooks
from portico.webhooks.v1.replay_pb2 import Replay as ReplayMessage
from portico.webhooks.v1.replay_service_pb2_grpc import ReplayServiceStub
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.clock import moment, timestamp
from portico_kit.storage.base import sessions
from server.common.records import Event
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.models import Delivery, Webhook
from server.features.webhooks.names import REPLAY_TASK
from server.features.webhooks.replays.models import Replay
from server.features.webhooks.replays.steps import WINDOW, Turn, take_step
from tests.core.calls import headers, pages, race
from tests.core.conftest import Refused
from tests.core.records import audit_entry, event
from tests.core.webhooks.conftest import WebhookClient
from tests.core.world import Person, World
from tests.support.event_schemas import example_data

INVALID = grpc.StatusCode.INVALID_ARGUMENT


class ReplayClient:
    """The replays of an organization, as its owner and the worker see them."""

    def __init__(self, client: WebhookClient) -> None:
        self.world = client.world
        self.webhooks = client
        self.owner = client.owner
        self.stub = ReplayServiceStub(client.world.channel)

    def create(self, webhook_id: str, status: str, by: Person | None = None, **fields: Any) -> Any:
        """Somebody, by default the owner, starts a replay."""
        request = pb.CreateReplayRequest(webhook_id=webhook_id, status=status, **fields)
        return self.stub.CreateReplay(request, metadata=(by or self.owner).metadata)

    async def get(self, replay_id: str) -> ReplayMessage:
        """The replay as the owner sees it."""
        request = pb.GetReplayRequest(replay_id=replay_id)
        return (await self.stub.GetReplay(request, metadata=self.owner.metadata)).replay

    async def cancel(self, replay_id: str) -> ReplayMessage:
        """The owner cancels it."""
        request = pb.CancelReplayRequest(replay_id=replay_id)
        return (await self.stub.CancelReplay(request, metadata=self.owner.metadata)).replay

    async def events(self, count: int, created_at: datetime | None = None) -> None:
        """Events of the organization that are fanned out."""
        async with AsyncSession(self.world.engine) as db, db.begin():
            for _ in range(count):
                db.add(
                    Event(
                        organization_id=UUID(self.webhooks.organization_id),
                        type="key.created",
                        data=example_data("key.created"),
                        created_at=created_at or self.world.clock(),
                    )
                )
        await self.fan_out()

    async def fan_out(self) -> None:
        """What a worker does with new events."""
        await EventFanOut(sessions(self.world.engine), self.world.clock, nobody)()

    async def step(self, replay: ReplayMessage) -> None:
        """What a worker does for a replay now and then."""
        turn = Turn(UUID(replay.id), UUID(replay.webhook_id))
        async with AsyncSession(self.world.engine) as db, db.begin():
            now = self.world.clock()
            await db.execute(
                update(Replay).where(Replay.id == turn.replay_id).values(next_step_at=now)
            )
            await take_step(db, turn, now)

    async def end_deliveries(self, webhook_id: str, status: str = "delivered") -> None:
        """What the receiver's answers do to all that is pending."""
        async with AsyncSession(self.world.engine) as db, db.begin():
            await db.execute(
                update(Delivery)
                .where(Delivery.webhook_id == UUID(webhook_id), Delivery.status == "pending")
                .values(status=status, next_attempt_at=None)
            )

    async def finish(self, replay: ReplayMessage) -> ReplayMessage:
        """Steps until it has ended; everything is accepted."""
        for _ in range(20):
            await self.step(replay)
            await self.end_deliveries(replay.webhook_id)
            found = await self.get(replay.id)
            if found.HasField("ended_at"):
                return found
        raise AssertionError("it does not end")


async def nobody(_due: Sequence[object]) -> None:
    """Nothing is sent here."""


@pytest.fixture
def replays(webhook_client: WebhookClient) -> ReplayClient:
    """The replays of the owner's organization."""
    return ReplayClient(webhook_client)


@pytest.fixture
async def webhook_id(replays: ReplayClient) -> str:
    """A webhook for everything; no event of before is without its number."""
    webhook = (await replays.webhooks.create()).webhook
    await replays.fan_out()
    await replays.end_deliveries(webhook.id)
    return webhook.id


async def test_what_was_missed_is_replayed_with_one_call(
    replays: ReplayClient, webhook_id: str, world: World
) -> None:
    assert not (await replays.webhooks.get(webhook_id)).HasField("missed_since")
    await replays.webhooks.update(webhook_id, enabled=False)
    disabled_at = (await replays.webhooks.get(webhook_id)).disabled_at
    await replays.events(3)
    enabled = (await replays.webhooks.update(webhook_id, enabled=True)).webhook
    assert enabled.missed_since == disabled_at
    assert moment(enabled.missed_until) >= moment(disabled_at)
    world.notifier.tasks.clear()
    replay = (await replays.create(webhook_id, "missing")).replay
    assert REPLAY_TASK in world.notifier.tasks
    assert (replay.state, replay.status, replay.max_per_second) == ("pending", "missing", 50)
    assert moment(replay.since) <= moment(disabled_at)
    ended = await replays.finish(replay)
    # With the events of its being disabled.
    assert (ended.state, ended.found, ended.done, ended.failed) == ("succeeded", 5, 5, 0)
    assert ended.examined == ended.event_count >= 5
    assert not (await replays.webhooks.get(webhook_id)).HasField("missed_since")


async def test_what_waited_for_the_workers_while_it_was_disabled_is_not_left_out(
    replays: ReplayClient, webhook_id: str, world: World
) -> None:
    await replays.webhooks.update(webhook_id, enabled=False)
    await replays.events(2, created_at=world.clock() - timedelta(minutes=30))
    await replays.webhooks.update(webhook_id, enabled=True)
    ended = await replays.finish((await replays.create(webhook_id, "missing")).replay)
    assert ended.found == 4


async def test_a_webhook_that_is_disabled_again_has_missed_both_times(
    replays: ReplayClient, webhook_id: str, world: World
) -> None:
    await replays.webhooks.update(webhook_id, enabled=False)
    first = (await replays.webhooks.update(webhook_id, enabled=True)).webhook
    await replays.webhooks.update(webhook_id, enabled=False)
    second = (await replays.webhooks.update(webhook_id, enabled=True)).webhook
    assert second.missed_since == first.missed_since
    assert moment(second.missed_until) > moment(first.missed_until)
    # Nothing of it can be sent any more, after 30 days.
    long_ago = world.clock() - timedelta(days=31)
    async with AsyncSession(world.engine) as db, db.begin():
        row = await db.get_one(Webhook, UUID(webhook_id))
        row.missed_since = row.missed_until = long_ago
    later = await replays.webhooks.get(webhook_id)
    assert (later.HasField("missed_since"), later.HasField("missed_until")) == (False, False)
    await replays.webhooks.update(webhook_id, enabled=False)
    third = (await replays.webhooks.update(webhook_id, enabled=True)).webhook
    assert moment(third.missed_since) > moment(second.missed_until)


async def test_its_start_is_told(replays: ReplayClient, webhook_id: str, world: World) -> None:
    call = replays.create(webhook_id, "failed", max_per_second=7, event_types=["key.created"])
    replay = (await call).replay
    assert (await headers(call))["location"] == f"/api/v1/replays/{replay.id}"
    assert (replay.max_per_second, list(replay.event_types)) == (7, ["key.created"])
    organization_id = replays.webhooks.organization_id
    assert (await event(world, organization_id, "replay.created")).data["id"] == replay.id
    entry = await audit_entry(world, organization_id, "replay.created")
    assert str(entry.target_id) == replay.id
    assert await replays.get(replay.id) == replay


async def test_one_at_a_time(replays: ReplayClient, webhook_id: str, refused: Refused) -> None:
    first = (await replays.create(webhook_id, "failed")).replay
    attempt = replays.create(webhook_id, "failed")
    found = await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "REPLAY_RUNNING")
    assert found.metadata == {"replay_id": first.id}
    await replays.cancel(first.id)
    answers, reasons = await race(*(replays.create(webhook_id, "failed") for _ in range(4)))
    assert (len(answers), reasons) == (1, ["REPLAY_RUNNING"] * 3)


async def test_a_cancelled_replay_starts_nothing_more(
    replays: ReplayClient, webhook_id: str, world: World, refused: Refused
) -> None:
    await replays.webhooks.update(webhook_id, enabled=False)
    await replays.events(3 * WINDOW)
    await replays.webhooks.update(webhook_id, enabled=True)
    replay = (await replays.create(webhook_id, "missing")).replay
    await replays.step(replay)
    await replays.end_deliveries(webhook_id)
    # What has ended is shown before a worker has counted it.
    assert (await replays.get(replay.id)).done == WINDOW
    steps = asyncio.gather(*(replays.step(replay) for _ in range(3)))
    cancelled, _ = await asyncio.gather(replays.cancel(replay.id), steps)
    assert (cancelled.state, cancelled.done) == ("cancelled", WINDOW)
    assert cancelled.HasField("ended_at")
    found = cancelled.found
    for _ in range(3):
        await replays.end_deliveries(webhook_id)
        await replays.step(replay)
    assert (await replays.get(replay.id)).found == found <= 2 * WINDOW
    told = await event(world, replays.webhooks.organization_id, "replay.cancelled")
    assert told.data["state"] == "cancelled"
    again = replays.cancel(replay.id)
    await refused(again, grpc.StatusCode.FAILED_PRECONDITION, "REPLAY_ENDED")


async def test_what_somebody_else_sends_again_is_left_to_them(
    replays: ReplayClient, webhook_id: str
) -> None:
    await replays.events(4)
    pending = await replays.webhooks.test(webhook_id)
    request = webhooks.ListDeliveriesRequest(webhook_id=webhook_id, event_type="key.created")
    listed = await replays.world.webhooks.ListDeliveries(request, metadata=replays.owner.metadata)
    await replays.end_deliveries(webhook_id, "failed")
    replay = (await replays.create(webhook_id, "failed", event_types=["key.created"])).replay
    await asyncio.gather(
        replays.step(replay),
        *(replays.webhooks.redeliver(one.id) for one in listed.deliveries[:2]),
        return_exceptions=True,
    )
    ended = await replays.finish(replay)
    # Whoever came first sends it; it is pending once.
    assert (ended.state, ended.failed) == ("succeeded", 0)
    assert 2 <= ended.found == ended.done <= 4
    assert (await replays.webhooks.delivery(pending.id)).status == "failed"


async def test_what_is_pending_is_no_matter_of_a_replay(
    replays: ReplayClient, webhook_id: str
) -> None:
    await replays.events(3)
    replay = (await replays.create(webhook_id, "all", since=an_hour_ago(replays))).replay
    for _ in range(3):
        await replays.step(replay)
    # The three are due and live: nothing is started before them, and they are passed over.
    found = await replays.get(replay.id)
    assert (found.state, found.found, found.examined) == ("running", 0, 0)


def an_hour_ago(replays: ReplayClient) -> Timestamp:
    """A time before everything that happens in a test."""
    moment_of_it = timestamp(replays.world.clock() - timedelta(hours=1))
    assert moment_of_it is not None
    return moment_of_it


async def test_pages_hold_every_replay_once_newest_first(
    replays: ReplayClient, webhook_id: str
) -> None:
    made = []
    for _ in range(3):
        made.append((await replays.create(webhook_id, "failed")).replay.id)
        await replays.cancel(made[-1])

    async def listed(cursor: str) -> pb.ListReplaysResponse:
        request = pb.ListReplaysRequest(webhook_id=webhook_id, limit=2, cursor=cursor)
        return await replays.stub.ListReplays(request, metadata=replays.owner.metadata)

    found = await pages(listed)
    assert [one.id for page in found for one in page.replays] == made[::-1]


async def test_a_repeated_call_starts_no_second_one(replays: ReplayClient, webhook_id: str) -> None:
    request = pb.CreateReplayRequest(webhook_id=webhook_id, status="failed")
    metadata = (*replays.owner.metadata, ("idempotency-key", str(uuid4())))
    answers = [await replays.stub.CreateReplay(request, metadata=metadata) for _ in range(2)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("status", "given", "field", "reason"),
    [
        ("all", {}, "since", "SINCE_REQUIRED"),
        # It was never disabled.
        ("missing", {}, "since", "SINCE_REQUIRED"),
        ("failed", {"since": -31}, "since", "TOO_OLD"),
        ("failed", {"since": 1}, "since", "INTERVAL_EMPTY"),
        ("failed", {"since": -2, "until": -3}, "since", "INTERVAL_EMPTY"),
        ("failed", {"until": -31}, "until", "INTERVAL_EMPTY"),
        ("every", {}, "status", "STRING_IN"),
    ],
)
async def test_an_interval_that_holds_nothing_is_named(
    replays: ReplayClient,
    webhook_id: str,
    refused: Refused,
    status: str,
    given: dict[str, int],
    field: str,
    reason: str,
) -> None:
    now = replays.world.clock()
    fields: dict[str, Any] = {
        name: timestamp(now + timedelta(days=days)) for name, days in given.items()
    }
    found = await refused(replays.create(webhook_id, status, **fields), INVALID, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == ((field,), (reason,))


@pytest.mark.parametrize("seconds", [-(2**62), -62135596801, 253402300800, 2**62])
@pytest.mark.parametrize("field", ["since", "until"])
async def test_a_time_that_is_none_is_named(
    replays: ReplayClient, webhook_id: str, refused: Refused, field: str, seconds: int
) -> None:
    given: dict[str, Any] = {field: Timestamp(seconds=seconds)}
    attempt = replays.create(webhook_id, "failed", **given)
    found = await refused(attempt, INVALID, "VALIDATION_ERROR")
    assert found.fields == (field,)


async def test_a_later_end_means_now(replays: ReplayClient, webhook_id: str) -> None:
    later = timestamp(replays.world.clock() + timedelta(days=400))
    replay = (await replays.create(webhook_id, "failed", until=later)).replay
    assert moment(replay.until) <= replays.world.clock()


async def test_types_that_are_not_sent_are_named(replays: ReplayClient, refused: Refused) -> None:
    webhook = (await replays.webhooks.create("key.created")).webhook
    for name, reason in {
        "key.revoked": "EVENT_TYPE_NOT_SUBSCRIBED",
        "webhook.test": "EVENT_TYPE_NOT_SUBSCRIBED",
        "moon.rose": "EVENT_TYPE_UNKNOWN",
        "user.created": "EVENT_TYPE_OF_OPERATOR",
    }.items():
        attempt = replays.create(webhook.id, "failed", event_types=["key.created", name])
        found = await refused(attempt, INVALID, "VALIDATION_ERROR")
        assert (found.fields, found.reasons) == (("event_types[1]",), (reason,))


async def test_a_disabled_webhook_is_sent_nothing(
    replays: ReplayClient, webhook_id: str, refused: Refused
) -> None:
    await replays.webhooks.update(webhook_id, enabled=False)
    attempt = replays.create(webhook_id, "failed")
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "WEBHOOK_DISABLED")


async def test_who_may_not_read_what_the_events_show_replays_none_of_them(
    replays: ReplayClient, webhook_id: str, refused: Refused
) -> None:
    organization_id = replays.webhooks.organization_id
    key = await replays.world.new_key(
        organization_id, replays.owner, "keys:read", "webhooks:read", "webhooks:write"
    )
    metadata = await replays.world.key_metadata(key.secret)
    request = pb.CreateReplayRequest(webhook_id=webhook_id, status="failed")
    attempt = replays.stub.CreateReplay(request, metadata=metadata)
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSIONS_EXCEEDED")
    request.event_types.append("key.created")
    assert (await replays.stub.CreateReplay(request, metadata=metadata)).replay.id


async def test_it_goes_on_when_the_one_who_started_it_leaves(
    replays: ReplayClient, webhook_id: str, world: World
) -> None:
    """It is the organization's, like everything that a former member has made."""
    organization_id = replays.webhooks.organization_id
    member = await world.new_member(organization_id, replays.owner, "member")
    replay = (await replays.create(webhook_id, "failed", by=member)).replay
    await world.organizations.RemoveMember(
        organizations.RemoveMemberRequest(organization_id=organization_id, user_id=member.id),
        metadata=replays.owner.metadata,
    )
    assert (await replays.finish(replay)).state == "succeeded"


async def test_it_goes_with_its_webhook(
    replays: ReplayClient, webhook_id: str, refused: Refused
) -> None:
    replay = (await replays.create(webhook_id, "failed")).replay
    steps = [replays.step(replay) for _ in range(3)]
    webhook = replays.webhooks.get(webhook_id)
    await asyncio.gather(delete_webhook(replays, webhook_id), *steps, webhook)
    await refused(replays.get(replay.id), grpc.StatusCode.NOT_FOUND, "REPLAY_NOT_FOUND")


async def delete_webhook(replays: ReplayClient, webhook_id: str) -> None:
    """The owner deletes a webhook."""
    async with AsyncSession(replays.world.engine) as db, db.begin():
        await db.delete(await db.get_one(Webhook, UUID(webhook_id)))


async def test_it_is_cancelled_with_its_organization(
    replays: ReplayClient, webhook_id: str, world: World
) -> None:
    replay = (await replays.create(webhook_id, "failed")).replay
    await world.organizations.DeleteOrganization(
        organizations.DeleteOrganizationRequest(organization_id=replays.webhooks.organization_id),
        metadata=replays.owner.metadata,
    )
    async with AsyncSession(world.engine) as db:
        assert (await db.get_one(Replay, UUID(replay.id))).state == "cancelled"
