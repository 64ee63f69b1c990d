"""Promises about what a receiver gets, how often, and what is written down of it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from aiohttp import web
from standardwebhooks import WebhookVerificationError

from tests.workers.conftest import NewDeliverer
from tests.workers.harness import (
    DrivenClock,
    Receiver,
    Subscription,
    Tenants,
    accept,
    answer,
    hanging,
)
from workers.events import EventFanOut
from workers.webhooks.deliverer import Deliverer


async def test_a_delivery_verifies_with_the_secret_that_its_owner_was_shown(
    tenants: Tenants, webhook: Subscription, receiver: Receiver, tell: EventFanOut
) -> None:
    await tell()
    (request,) = await receiver.got(1)
    payload = request.verified_by(webhook.secret)
    delivery = await tenants.delivery(webhook)
    assert payload["type"] == "key.created"
    assert payload["id"] == str(delivery.event_id)
    assert payload["organizationId"] == str(delivery.organization_id)
    assert payload["data"]["name"] == "Schlüssel"
    assert payload["timestamp"].endswith("Z")
    assert request.webhook_id == str(delivery.id)
    assert request.body.decode() == delivery.payload
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "test"


async def test_a_delivery_that_somebody_changed_does_not_verify(
    webhook: Subscription, receiver: Receiver, tell: EventFanOut
) -> None:
    await tell()
    (request,) = await receiver.got(1)
    changed = type(request)(request.headers, request.body.replace(b"created", b"revoked"))
    with pytest.raises(WebhookVerificationError):
        changed.verified_by(webhook.secret)


async def test_an_accepted_delivery_is_written_down(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    tell: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(202, b"taken")
    await tell()
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
    clock: DrivenClock,
    tell: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(500, b"broken")
    await tell()
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
    clock: DrivenClock,
    tell: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(503)
    await tell()
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
    clock: DrivenClock,
    tell: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(500)
    await tell()
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
    clock: DrivenClock,
    tell: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(500)
    await tell()
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
    tell: EventFanOut,
    deliverer: Deliverer,
    status: int,
) -> None:
    receiver.handler = answer(status, location=receiver.url)
    await tell()
    await deliverer.settle()
    assert len(receiver.requests) == 1
    assert (await tenants.attempt(webhook)).response_status == status
    assert (await tenants.delivery(webhook)).status == "pending"


async def test_only_the_first_2_kb_of_an_answer_are_kept(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    tell: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(200, b"a\0\xff" + b"b" * 1_000_000)
    await tell()
    await deliverer.settle()
    body = (await tenants.attempt(webhook)).response_body
    assert body == "a\N{REPLACEMENT CHARACTER}" + "b" * 2045


async def test_an_answer_that_breaks_off_after_its_status_counts(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    tell: EventFanOut,
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
    await tell()
    await deliverer.settle()
    assert (await tenants.delivery(webhook)).status == "delivered"
    assert (await tenants.attempt(webhook)).response_body == "half"


async def test_a_receiver_that_closes_without_an_answer_has_failed(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    tell: EventFanOut,
    deliverer: Deliverer,
) -> None:
    async def close(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    receiver.handler = close
    await tell()
    await deliverer.settle()
    attempt = await tenants.attempt(webhook)
    assert attempt.response_status is None
    assert attempt.error == "The connection was closed without an answer."


async def test_a_receiver_that_takes_too_long_has_failed(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    new_deliverer: NewDeliverer,
    clock: DrivenClock,
) -> None:
    impatient = await new_deliverer(seconds=0.2)
    receiver.handler = hanging(5)
    await EventFanOut(tenants.sessions, clock, impatient.deliver_due)()
    await impatient.settle()
    attempt = await tenants.attempt(webhook)
    assert (attempt.response_status, attempt.error) == (None, "There was no answer in time.")
    assert 200 <= attempt.duration_ms < 5000


async def test_a_webhook_that_was_disabled_on_the_way_gets_nothing(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: DrivenClock,
    tell: EventFanOut,
    deliverer: Deliverer,
) -> None:
    receiver.handler = answer(500)
    await tell()
    await deliverer.settle()
    await tenants.change(webhook, enabled=False)
    clock.advance(timedelta(seconds=61))
    await deliverer.deliver_due()
    await deliverer.settle()
    last = (await tenants.attempts(await tenants.delivery(webhook)))[-1]
    assert last.error == "The webhook is disabled."
    assert len(receiver.requests) == 1


async def test_a_secret_that_cannot_be_read_is_an_attempt_that_failed(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    tell: EventFanOut,
    deliverer: Deliverer,
) -> None:
    await tenants.change(webhook, sealed_secret=b"sealed with another key")
    await tell()
    await deliverer.settle()
    assert (await tenants.attempt(webhook)).error == "The delivery could not be made."
    assert (await tenants.delivery(webhook)).status == "pending"
    assert receiver.requests == []


async def test_a_payload_is_json_of_one_line(
    webhook: Subscription, receiver: Receiver, tell: EventFanOut
) -> None:
    await tell()
    (request,) = await receiver.got(1)
    assert json.loads(request.body)["type"] == "key.created"
    assert b"\n" not in request.body
