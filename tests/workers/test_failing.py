"""Promises about receivers that accept nothing for days: warnings, and at last the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import sample
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from portico_kit.secrets import Secrets
from portico_kit.storage.base import create_engine, sessions
from portico_kit.testing.clocks import OffsetClock
from portico_kit.testing.waiting import eventually
from server.common.records import AuditEntry, Event
from server.features.emails.facade import Mailer
from server.features.emails.models import EMAIL_PURPOSE, Email
from server.features.emails.rendering import render
from server.features.webhooks.backlog import catch_up
from server.features.webhooks.cleanup import delete_statistics
from server.features.webhooks.delivery.attempt_statistics import AttemptStatistics
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery.failing import FailingWebhooks
from server.features.webhooks.delivery_queue import AttemptResult
from server.features.webhooks.failing import DEAD, Failure
from server.features.webhooks.mails import MAILS
from server.features.webhooks.models import Webhook, WebhookStatistics
from tests.workers.harness import Receiver, Subscription, Tenants, accept, answer, receiving
from tests.workers.test_gone import owner_of

PERIOD = timedelta(days=5)
DAY = timedelta(days=1)
START = datetime(2026, 7, 1, tzinfo=UTC)
BY_NAME = {mail.name: mail for mail in MAILS}


def failure(
    *, step: int = 0, failed: int = 20, last: float = 2.5, end: float | None = None
) -> Failure:
    """A webhook that has been failing since `START`; what else, in days from then."""
    disables_at = None if end is None else START + DAY * end
    return Failure(uuid4(), START, step, disables_at, failed, START + DAY * last)


@pytest.mark.parametrize(
    ("days", "found", "due"),
    [
        (2.49, failure(), None),
        (2.5, failure(), 50),
        (2.5, failure(step=50, end=5), None),
        (3.5, failure(step=50, end=5), 70),
        (4.5, failure(step=70, end=5), 90),
        (4.9, failure(step=90, end=5), None),
        (5.0, failure(step=90, end=5), DEAD),
        # It was found late: the warning that fits, and then the notice that it gives.
        (4.0, failure(), 70),
        (30.0, failure(), 90),
        (30.4, failure(step=90, end=30.5), None),
        (30.5, failure(step=90, end=30.5), DEAD),
        # Too few attempts, or few of them all at once.
        (4.5, failure(failed=3), None),
        (4.5, failure(failed=4), 90),
        (4.5, failure(failed=19, last=0.1), None),
        # A single burst is no proof: it is warned of, and the next attempt decides.
        (4.5, failure(failed=20, last=0.1), 90),
        (9.0, failure(step=90, end=5, failed=500, last=0.1), None),
    ],
)
def test_a_step_is_due_by_the_time_and_by_what_was_tried(
    days: float, found: Failure, due: int | None
) -> None:
    assert found.next_step(START + DAY * days, PERIOD) == due


def test_a_warning_says_when_it_ends_and_the_last_one_leaves_half_a_day() -> None:
    assert failure().end(START + DAY * 2.5, PERIOD) == START + DAY * 5
    assert failure().end(START + DAY * 4.5, PERIOD) == START + DAY * 5
    assert failure().end(START + DAY * 30, PERIOD) == START + DAY * 30.5


def new_job(tenants: Tenants, clock: OffsetClock) -> FailingWebhooks:
    """The job as a worker has it."""
    return FailingWebhooks(tenants.sessions, clock, Mailer(tenants.secrets), PERIOD)


@pytest.fixture
def look_after(tenants: Tenants, clock: OffsetClock) -> FailingWebhooks:
    """Looks once after all webhooks that fail."""
    return new_job(tenants, clock)


async def mails(tenants: Tenants, secrets: Secrets) -> list[tuple[str, str, dict[str, str]]]:
    """Template, recipient and variables of every mail, oldest first."""
    async with tenants.sessions() as db:
        found = (await db.scalars(select(Email).order_by(Email.id))).all()
    return [
        (
            one.template,
            one.recipient,
            json.loads(secrets.unseal(EMAIL_PURPOSE, one.sealed_variables or b"")),
        )
        for one in found
    ]


async def row(tenants: Tenants, webhook: Subscription) -> Webhook:
    async with tenants.sessions() as db:
        return await db.get_one(Webhook, webhook.id)


async def events(tenants: Tenants, organization: UUID, *types: str) -> list[Event]:
    """The events of these types, oldest first."""
    query = select(Event).where(Event.organization_id == organization, Event.type.in_(types))
    async with tenants.sessions() as db:
        return list(await db.scalars(query.order_by(Event.id)))


Attempts = Callable[..., Awaitable[None]]


@pytest.fixture
def attempts(tenants: Tenants, clock: OffsetClock) -> Attempts:
    """Counts attempts as the workers do, now."""

    async def count(webhook: Subscription, failed: int, accepted: int = 0) -> None:
        statistics = AttemptStatistics(tenants.sessions)
        for number in range(failed + accepted):
            result = AttemptResult(clock(), 5, 503 if number < failed else 200)
            statistics.count(webhook.id, result)
        await statistics.flush()

    return count


Failing = Callable[..., Awaitable[Subscription]]


@pytest.fixture
def failing(tenants: Tenants, clock: OffsetClock, attempts: Attempts) -> Failing:
    """A new webhook that has accepted nothing for a while, of which the worker knows."""

    async def make(organization: UUID, since: timedelta, failed: int = 20) -> Subscription:
        webhook = await tenants.webhook(organization, "http://127.0.0.1:9/token?key=s3cret")
        with clock.later(-since):
            await tenants.change(webhook, failing_since=clock())
        await attempts(webhook, failed)
        return webhook

    return make


async def test_a_dead_receiver_is_warned_of_three_times_and_then_disabled(
    tenants: Tenants,
    secrets: Secrets,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
    look_after: FailingWebhooks,
) -> None:
    organization = await tenants.organization()
    owner = await owner_of(tenants, organization)
    await owner_of(tenants, organization, status="suspended")
    await tenants.webhook(organization, receiver.url, "webhook.failing")
    async with receiving() as dead:
        dead.handler = answer(503)
        failing = await tenants.webhook(organization, dead.url, "key.created", "webhook.failing")

        async def tried() -> None:
            """Five events fail, each as often as the schedule has it."""
            await tenants.events(organization, 5)
            await fan_out_events()
            for pause in (0, 60, 300, 900):
                clock.advance(timedelta(seconds=pause))
                await deliverer.deliver_due()
                await deliverer.settle()
            await deliverer.statistics.flush()

        await tried()
        begun = await row(tenants, failing)
        assert begun.failing_since is not None
        for days, step in ((1, 0), (1.5, 50), (0.1, 50), (0.9, 70), (1, 90), (0.2, 90)):
            clock.advance(timedelta(days=days))
            await tried()
            for _ in range(2):
                await look_after()
            now = await row(tenants, failing)
            assert (now.failing_step, now.enabled, now.version) == (step, True, begun.version)
            assert (now.failing_since, now.updated_at) == (begun.failing_since, begun.updated_at)
        clock.advance(timedelta(days=0.4))
        for _ in range(2):
            await look_after()
        await fan_out_events()
        await deliverer.settle()
        assert {json.loads(one.body)["type"] for one in dead.requests} == {"key.created"}, (
            "it heard of itself"
        )
    ended = await row(tenants, failing)
    assert (ended.enabled, ended.disabled_reason) == (False, "failing")
    assert ended.disabled_at is not None
    assert ended.failing_since == begun.failing_since
    told = [json.loads(one.body)["data"] for one in receiver.requests]
    assert [one["failingWarningPercent"] for one in told] == [50, 70, 90]
    assert {one["id"] for one in told} == {str(failing.id)}
    disabled = await events(tenants, organization, "webhook.disabled")
    assert [one.data["disabledReason"] for one in disabled] == ["failing"]
    sent = await mails(tenants, secrets)
    assert [template for template, _, _ in sent] == [
        *["webhook_failing"] * 3,
        "webhook_disabled_failing",
    ]
    assert {recipient for _, recipient, _ in sent} == {owner}
    assert {variables["last_response"] for _, _, variables in sent} == {"HTTP 503"}
    async with tenants.sessions() as db:
        query = select(AuditEntry.action).where(AuditEntry.target_id == failing.id)
        assert sorted(await db.scalars(query)) == ["webhook.disabled", *["webhook.failing"] * 3]


async def test_of_many_workers_one_takes_a_step(
    tenants: Tenants, secrets: Secrets, clock: OffsetClock, failing: Failing
) -> None:
    organization = await tenants.organization()
    await owner_of(tenants, organization)
    for _ in range(3):
        await failing(organization, DAY * 3)
    await asyncio.gather(*(new_job(tenants, clock)() for _ in range(8)))
    assert len(await events(tenants, organization, "webhook.failing")) == 3
    assert len(await mails(tenants, secrets)) == 3


async def test_mails_show_the_url_without_its_token_and_quote_the_purpose(
    tenants: Tenants, secrets: Secrets, failing: Failing, look_after: FailingWebhooks
) -> None:
    organization = await tenants.organization()
    await owner_of(tenants, organization)
    webhook = await failing(organization, DAY * 9)
    await tenants.change(webhook, description="Win at https://evil.example/now\r\nBcc: eve")
    await look_after()
    await tenants.change(webhook, disables_at=webhook_time(-1))
    await look_after()
    sent = await mails(tenants, secrets)
    assert len(sent) == 2
    for template, _, variables in sent:
        mail = render(BY_NAME[template], variables, "https://portico.example")
        assert str(webhook.id) in mail.text
        assert "s3cret" not in mail.text + mail.html
        assert "evil.example" not in mail.text
        assert "\nBcc" not in mail.text


def webhook_time(hours: float) -> datetime:
    """A moment so many hours from now."""
    return datetime.now(UTC) + timedelta(hours=hours)


async def test_an_accepted_attempt_begins_it_all_again(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
    failing: Failing,
    look_after: FailingWebhooks,
    attempts: Attempts,
) -> None:
    organization = await tenants.organization()
    webhook = await failing(organization, DAY * 4)
    await look_after()
    assert (await row(tenants, webhook)).failing_step == 70
    await tenants.change(webhook, url=receiver.url)
    await tenants.event(organization)
    await fan_out_events()
    await deliverer.settle()
    now = await row(tenants, webhook)
    assert (now.failing_since, now.failing_step, now.disables_at) == (None, 0, None)
    receiver.handler = answer(500)
    clock.advance(DAY)
    await tenants.event(organization)
    await fan_out_events()
    await deliverer.settle()
    await attempts(webhook, failed=50)
    clock.advance(DAY * 2)
    await look_after()
    assert (await row(tenants, webhook)).failing_step == 0


async def test_a_success_that_was_under_way_beside_the_failure_counts(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
    look_after: FailingWebhooks,
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    both, count = asyncio.Event(), iter(range(2))

    async def handler(request: object) -> object:
        if next(count) == 0:
            return await answer(500)(request)  # type: ignore[arg-type]
        await both.wait()
        return await accept(request)  # type: ignore[arg-type]

    receiver.handler = handler  # type: ignore[assignment]
    await tenants.events(organization, 2)
    await fan_out_events()
    await receiver.got(2)

    async def known() -> bool:
        return (await row(tenants, webhook)).failing_since is not None

    await eventually(known, 5)
    both.set()
    await deliverer.settle()
    await deliverer.statistics.flush()
    await look_after()
    assert (await row(tenants, webhook)).failing_since is None


async def test_attempts_that_fail_side_by_side_have_failed_since_the_first(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    moments = []

    async def handler(request: object) -> object:
        clock.advance(timedelta(hours=1))
        moments.append(clock())
        return await answer(500)(request)  # type: ignore[arg-type]

    receiver.handler = handler  # type: ignore[assignment]
    await tenants.events(organization, 5)
    await fan_out_events()
    await deliverer.settle()
    since = (await row(tenants, webhook)).failing_since
    assert since is not None
    assert len(moments) == 5
    await tenants.events(organization, 1)
    await fan_out_events()
    await deliverer.settle()
    assert (await row(tenants, webhook)).failing_since == since


async def test_what_a_disabled_or_silent_webhook_does_not_try_says_nothing(
    tenants: Tenants, failing: Failing, look_after: FailingWebhooks
) -> None:
    organization = await tenants.organization()
    disabled = await failing(organization, DAY * 9)
    await tenants.change(disabled, enabled=False, disabled_reason="requested")
    silent = await failing(organization, DAY * 9, failed=0)
    await look_after()
    assert (await row(tenants, disabled)).failing_step == 0
    assert (await row(tenants, silent)).failing_step == 0
    assert await events(tenants, organization, "webhook.failing", "webhook.disabled") == []


async def test_webhooks_that_all_fail_warn_of_each_other_and_end(
    tenants: Tenants,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
    failing: Failing,
    look_after: FailingWebhooks,
) -> None:
    organization = await tenants.organization()
    both = [await failing(organization, DAY * 9) for _ in range(2)]
    for _ in range(3):
        await look_after()
        await fan_out_events()
        await deliverer.settle()
    warned = await events(tenants, organization, "webhook.failing")
    assert sorted(one.data["id"] for one in warned) == sorted(str(one.id) for one in both)
    for webhook, other in (both, both[::-1]):
        (told,) = await tenants.deliveries(webhook)
        about = next(one for one in warned if one.id == told.event_id)
        assert about.data["id"] == str(other.id)


async def test_a_webhook_that_catches_up_does_not_hear_of_itself_either(
    tenants: Tenants,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    failing: Failing,
    look_after: FailingWebhooks,
) -> None:
    organization = await tenants.organization()
    webhook = await failing(organization, DAY * 3)
    await tenants.change(webhook, behind_since=webhook_time(-1))
    await look_after()
    await tenants.event(organization)
    await fan_out_events()
    assert await tenants.deliveries(webhook) == []
    async with tenants.sessions.begin() as db:
        await catch_up(db, webhook.id, clock())
    assert [one.event_type for one in await tenants.deliveries(webhook)] == ["key.created"]


async def test_one_webhook_that_cannot_be_looked_after_keeps_back_no_other(
    tenants: Tenants, failing: Failing, look_after: FailingWebhooks
) -> None:
    organization = await tenants.organization()
    held, other = [await failing(organization, DAY * 3) for _ in range(2)]
    async with tenants.sessions.begin() as db:
        # Somebody else is at it.
        await db.execute(update(Webhook).where(Webhook.id == held.id).values(description="x"))
        async with asyncio.timeout(3):
            await look_after()
    assert (await row(tenants, other)).failing_step == 50
    await look_after()
    assert (await row(tenants, held)).failing_step == 50


async def test_what_goes_wrong_on_our_side_is_no_failure_of_the_receiver(
    tenants: Tenants,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
    failing: Failing,
    look_after: FailingWebhooks,
) -> None:
    organization = await tenants.organization()
    well = await tenants.webhook(organization, receiver.url)
    unwell = await failing(organization, DAY * 3, failed=3)
    for webhook in (well, unwell):
        await tenants.change(webhook, sealed_secret=b"sealed with another key")
    before = (await row(tenants, unwell)).failing_since
    await tenants.events(organization, 10)
    await fan_out_events()
    await deliverer.settle()
    await deliverer.statistics.flush()
    await look_after()
    assert (await row(tenants, well)).failing_since is None
    now = await row(tenants, unwell)
    assert (now.failing_since, now.failing_step) == (before, 0)


async def statistics_of(tenants: Tenants, webhook: Subscription) -> list[tuple[int, int]]:
    query = select(WebhookStatistics).where(WebhookStatistics.webhook_id == webhook.id)
    async with tenants.sessions() as db:
        return [(one.attempt_count, one.accepted_count) for one in await db.scalars(query)]


async def test_attempts_that_cannot_be_counted_now_are_counted_later(tenants: Tenants) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, "http://127.0.0.1:9/")
    engine = create_engine("postgresql://nobody@127.0.0.1:9/nothing")
    statistics = AttemptStatistics(sessions(engine))
    now = datetime.now(UTC)
    for status in (200, 500):
        statistics.count(webhook.id, AttemptResult(now, 5, status))
        await statistics.flush()
    await engine.dispose()
    statistics._sessions = tenants.sessions
    statistics.count(webhook.id, AttemptResult(now, 5, None))
    await statistics.flush()
    await statistics.flush()
    assert await statistics_of(tenants, webhook) == [(3, 1)]


async def test_workers_that_count_at_once_and_deletions_wait_for_nobody_for_ever(
    tenants: Tenants,
) -> None:
    organization = await tenants.organization()
    webhooks = [await tenants.webhook(organization, "http://127.0.0.1:9/") for _ in range(12)]
    workers = [AttemptStatistics(tenants.sessions) for _ in range(4)]
    now = datetime.now(UTC)

    async def count(worker: AttemptStatistics) -> None:
        for number in range(10):
            for webhook in sample(webhooks, len(webhooks)):
                ago = timedelta(minutes=5 * (number % 3))
                worker.count(webhook.id, AttemptResult(now - ago, 5, 200))
            await worker.flush()

    async def delete() -> None:
        for webhook in webhooks[6:]:
            await tenants.delete(webhook)

    async with asyncio.timeout(30):
        await asyncio.gather(delete(), *map(count, workers))
    for webhook in webhooks[:6]:
        assert sum(made for made, _ in await statistics_of(tenants, webhook)) == 40
    for webhook in webhooks[6:]:
        assert await statistics_of(tenants, webhook) == []


async def test_statistics_are_kept_for_thirty_days(tenants: Tenants) -> None:
    webhook = await tenants.webhook(await tenants.organization(), "http://127.0.0.1:9/")
    statistics = AttemptStatistics(tenants.sessions)
    now = datetime.now(UTC)
    for days in (0, 29, 31, 60):
        statistics.count(webhook.id, AttemptResult(now - timedelta(days=days), 5, 200))
    await statistics.flush()
    async with tenants.sessions.begin() as db:
        assert await delete_statistics(db, now, 1) == 1
        assert await delete_statistics(db, now, 100) == 1
    assert len(await statistics_of(tenants, webhook)) == 2
