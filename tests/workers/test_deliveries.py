"""Promises about what a receiver gets, how often, and what is written down of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from unittest.mock import patch

import pytest
from aiohttp import web
from standardwebhooks import WebhookVerificationError

from portico_kit.clock import utc_now
from portico_kit.testing.clocks import OffsetClock
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery.http import retry_after
from server.features.webhooks.models import Webhook
from server.features.webhooks.secret import new_secret, seal
from tests.workers.conftest import NewDeliverer
from tests.workers.harness import Received, Receiver, Subscription, Tenants, accept, answer, hanging


@contextmanager
def freeze_verifier(request: Received) -> Iterator[None]:
    """The verifier believes that it is the time at which a request was sent."""
    sent_at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    with patch("standardwebhooks.webhooks.datetime", wraps=datetime) as now:
        now.now.return_value = sent_at
        yield


async def test_a_delivery_verifies_with_the_secret_that_its_owner_was_shown(
    tenants: Tenants, webhook: Subscription, receiver: Receiver, fan_out_events: EventFanOut
) -> None:
    await fan_out_events()
    (request,) = await receiver.got(1)
    payload = request.verified_by(webhook.secret)
    delivery = await tenants.delivery(webhook)
    assert payload["type"] == "key.created"
    assert payload["id"] == str(delivery.event_id)
    assert payload["organizationId"] == str(delivery.organization_id)
    assert payload["data"]["name"] == "Schlüssel"
    assert payload["timestamp"].endswith("Z")
    assert request.webhook_id == str(delivery.id)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "test"


async def test_a_delivery_that_somebody_changed_does_not_verify(
    webhook: Subscription, receiver: Receiver, fan_out_events: EventFanOut
) -> None:
    await fan_out_events()
    (request,) = await receiver.got(1)
    changed = type(request)(request.headers, request.body.replace(b"created", b"revoked"))
    with pytest.raises(WebhookVerificationError):
        changed.verified_by(webhook.secret)


async def test_an_accepted_delivery_is_written_down(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(202, b"taken")
    await fan_out_events()
    await deliverer.settle()
    delivery = await tenants.delivery(webhook)
    attempt = await tenants.attempt(webhook)
    assert (delivery.status, delivery.attempt_count) == ("delivered", 1)
    assert delivery.delivered_at is not None
    assert delivery.next_attempt_at is None
    assert (attempt.number, attempt.response_status, attempt.response_body) == (1, 202, "taken")
    assert (attempt.error, attempt.duration_ms < 5000) == ("", True)


async def test_a_failing_receiver_is_tried_after_0_60_300_and_900_seconds_and_then_given_up(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(500, b"broken")
    await fan_out_events()
    await deliverer.settle()
    for made, pause in enumerate((60, 300, 900), start=1):
        clock.advance(timedelta(seconds=pause - 10))
        await deliverer.deliver_due()
        await deliverer.settle()
        delivery = await tenants.delivery(webhook)
        assert (delivery.status, delivery.attempt_count) == ("pending", made)
        clock.advance(timedelta(seconds=10))
        await deliverer.deliver_due()
        await deliverer.settle()
    failed = await tenants.delivery(webhook)
    assert (failed.status, failed.attempt_count, failed.next_attempt_at) == ("failed", 4, None)
    attempts = await tenants.attempts(failed)
    assert [attempt.number for attempt in attempts] == [1, 2, 3, 4]
    assert {attempt.response_body for attempt in attempts} == {"broken"}
    clock.advance(timedelta(days=1))
    await deliverer.deliver_due()
    await deliverer.settle()
    assert len(receiver.requests) == 4


async def test_every_attempt_has_the_same_id_and_a_time_of_its_own(
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(503)
    await fan_out_events()
    await deliverer.settle()
    clock.advance(timedelta(seconds=61))
    await deliverer.deliver_due()
    first, second = await receiver.got(2)
    assert first.webhook_id == second.webhook_id
    assert int(second.headers["webhook-timestamp"]) >= int(first.headers["webhook-timestamp"]) + 60
    second.verified_by(webhook.secret)


async def test_a_receiver_that_recovers_gets_its_delivery(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(500)
    await fan_out_events()
    await deliverer.settle()
    receiver.handler = accept
    clock.advance(timedelta(seconds=61))
    await deliverer.deliver_due()
    await deliverer.settle()
    delivery = await tenants.delivery(webhook)
    assert (delivery.status, delivery.attempt_count) == ("delivered", 2)


async def test_a_redelivery_has_the_whole_schedule_before_it_and_counts_on(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(500)
    await fan_out_events()
    for _ in range(4):
        await deliverer.settle()
        clock.advance(timedelta(hours=1))
        await deliverer.deliver_due()
    await tenants.redeliver(await tenants.delivery(webhook), clock())
    await deliverer.deliver_due()
    await deliverer.settle()
    delivery = await tenants.delivery(webhook)
    assert (delivery.status, delivery.attempt_count) == ("pending", 5)
    assert delivery.next_attempt_at is not None
    assert timedelta(0) < delivery.next_attempt_at - clock() <= timedelta(seconds=60)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
    status: int,
) -> None:
    receiver.handler = answer(status, location=receiver.url)
    await fan_out_events()
    await deliverer.settle()
    assert len(receiver.requests) == 1
    assert (await tenants.attempt(webhook)).response_status == status
    assert (await tenants.delivery(webhook)).status == "pending"


async def test_only_the_first_2_kb_of_an_answer_are_kept(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(200, b"a\0\xff" + b"b" * 1_000_000)
    await fan_out_events()
    await deliverer.settle()
    body = (await tenants.attempt(webhook)).response_body
    assert body == "a\N{REPLACEMENT CHARACTER}" + "b" * 2045


async def test_an_answer_that_breaks_off_after_its_status_counts(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    receiver.handler = break_off
    await fan_out_events()
    await deliverer.settle()
    assert (await tenants.delivery(webhook)).status == "delivered"
    assert (await tenants.attempt(webhook)).response_body == "half"


async def test_a_receiver_that_closes_without_an_answer_has_failed(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    async def close(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    receiver.handler = close
    await fan_out_events()
    await deliverer.settle()
    attempt = await tenants.attempt(webhook)
    assert attempt.response_status is None
    assert attempt.error == "The connection was closed without an answer."


async def test_a_receiver_that_takes_too_long_has_failed(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    new_deliverer: NewDeliverer,
    clock: OffsetClock,
) -> None:
    impatient = await new_deliverer(seconds=0.2)
    receiver.handler = hanging(5)
    await EventFanOut(tenants.sessions, clock, impatient.deliver)()
    await impatient.settle()
    attempt = await tenants.attempt(webhook)
    assert (attempt.response_status, attempt.error) == (None, "There was no answer in time.")
    assert 200 <= attempt.duration_ms < 5000


async def test_deliveries_of_a_disabled_webhook_wait_until_it_is_enabled_again(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(500)
    await fan_out_events()
    await deliverer.settle()
    await tenants.change(webhook, enabled=False)
    clock.advance(timedelta(days=2))
    await deliverer.deliver_due()
    await deliverer.settle()
    waiting = await tenants.delivery(webhook)
    assert (waiting.status, waiting.attempt_count, len(receiver.requests)) == ("pending", 1, 1)
    receiver.handler = accept
    await tenants.change(webhook, enabled=True)
    await deliverer.deliver_due()
    await deliverer.settle()
    delivery = await tenants.delivery(webhook)
    assert (delivery.status, delivery.attempt_count) == ("delivered", 2)


async def test_during_the_overlap_of_a_rotation_both_secrets_verify(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    new = new_secret()
    async with tenants.sessions.begin() as db:
        row = await db.get_one(Webhook, webhook.id)
        organization_id = row.organization_id
        row.replace_secret(seal(tenants.secrets, new), clock(), timedelta(hours=1))
    await fan_out_events()
    await deliverer.settle()
    (request,) = receiver.requests
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    request.verified_by(webhook.secret)
    request.verified_by(new)
    clock.advance(timedelta(hours=1))
    await tenants.event(organization_id)
    await fan_out_events()
    await deliverer.settle()
    later = receiver.requests[-1]
    assert later.headers["webhook-signature"].count("v1,") == 1
    with freeze_verifier(later):
        later.verified_by(new)
        with pytest.raises(WebhookVerificationError):
            later.verified_by(webhook.secret)


@pytest.mark.parametrize(
    ("status", "header", "pause"),
    [
        (503, "3600", 3600),
        (429, "3600", 3600),
        (503, "10", 60),
        (503, "0", 60),
        (503, "99999999999999999999", 86400),
        (503, "000000000000120", 120),
        (503, "soon", 60),
        (503, "-5", 60),
        (503, "\u0661\u0662\u0663", 60),
        (503, "", 60),
        (500, "3600", 60),
    ],
)
async def test_a_receiver_that_asks_for_time_gets_it_within_a_day(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
    status: int,
    header: str,
    pause: int,
) -> None:
    receiver.handler = answer(status, retry_after=header)
    before = clock()
    await fan_out_events()
    await deliverer.settle()
    due = (await tenants.delivery(webhook)).next_attempt_at
    assert due is not None
    assert -1 <= (due - before).total_seconds() - pause <= 10


async def test_a_receiver_may_name_the_date_to_come_back(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    until = clock() + timedelta(hours=2)
    receiver.handler = answer(503, retry_after=format_datetime(until, usegmt=True))
    await fan_out_events()
    await deliverer.settle()
    due = (await tenants.delivery(webhook)).next_attempt_at
    assert due is not None
    assert abs((due - until).total_seconds()) < 5


@pytest.mark.parametrize(
    "value", ["Fri, 31 Feb 2099 99:99:99 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", "\0", "1e9", "1.5"]
)
def test_a_retry_after_that_makes_no_sense_asks_for_nothing(value: str) -> None:
    assert not retry_after(value, utc_now())


async def test_a_secret_that_cannot_be_read_is_an_attempt_that_failed(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    await tenants.change(webhook, sealed_secret=b"sealed with another key")
    await fan_out_events()
    await deliverer.settle()
    assert (await tenants.attempt(webhook)).error == "The delivery could not be made."
    assert (await tenants.delivery(webhook)).status == "pending"
    assert receiver.requests == []


async def test_a_payload_is_json_of_one_line(
    webhook: Subscription, receiver: Receiver, fan_out_events: EventFanOut
) -> None:
    await fan_out_events()
    (request,) = await receiver.got(1)
    assert json.loads(request.body)["type"] == "key.created"
    assert b"\n" not in request.body
