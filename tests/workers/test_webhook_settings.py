"""Promises about deliveries of webhooks with settings of their own."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from joserfc.jwk import OKPKey
from standardwebhooks import WebhookVerificationError

from portico_kit.testing.clocks import OffsetClock
from server.features.webhooks import custom_headers, signing_keys
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery.schedule import jittered
from server.features.webhooks.delivery_queue import LEASE
from server.features.webhooks.models import Delivery
from server.features.webhooks.schedules import NAMED, PATIENT
from server.features.webhooks.signing_keys import KeyPair, new_key_pair
from tests.workers.conftest import NewDeliverer
from tests.workers.harness import (
    Received,
    Receiver,
    Subscription,
    Tenants,
    accept,
    answer,
    hanging,
)


class Named:
    """A header as a request gives it."""

    def __init__(self, name: str, value: str) -> None:
        self.name, self.value = name, value


def sealed(tenants: Tenants, **headers: str) -> bytes | None:
    """Headers as a webhook has them."""
    named = [Named(name.replace("_", "-"), value) for name, value in headers.items()]
    return custom_headers.seal(tenants.secrets, named)


async def sign_with_key(
    tenants: Tenants, webhook: Subscription, signing: str, pair: KeyPair | None = None
) -> KeyPair:
    """Has a webhook sign with a key pair."""
    pair = pair or new_key_pair(tenants.secrets)
    await tenants.change(
        webhook, signing=signing, public_key=pair.public, sealed_private_key=pair.sealed
    )
    return pair


def verified_with(pair: KeyPair, request: Received) -> bool:
    """Whether a delivery verifies with a key of the key set, as a JOSE library reads it."""
    key = OKPKey.import_key(dict(signing_keys.jwk(UUID(int=1), pair.public))).public_key
    identity, timestamp = request.webhook_id, request.headers["webhook-timestamp"]
    signed = f"{identity}.{timestamp}.".encode() + request.body
    return any(
        _verifies(key, base64.b64decode(signature), signed)
        for version, _, signature in signatures(request)
        if version == "v1a"
    )


def _verifies(key: object, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)  # type: ignore[attr-defined]
    except InvalidSignature:
        return False
    return True


def signatures(request: Received) -> list[tuple[str, str, str]]:
    return [one.partition(",") for one in request.headers["webhook-signature"].split(" ")]


def versions(request: Received) -> list[str]:
    return [version for version, _, _ in signatures(request)]


async def due_after(tenants: Tenants, webhook: Subscription, now: datetime) -> float:
    """How many seconds from now the next attempt is due."""
    due = (await tenants.delivery(webhook)).next_attempt_at
    assert due is not None
    return (due - now).total_seconds()


@pytest.mark.parametrize("pauses", [NAMED[PATIENT], (1, 86_400, 30)])
async def test_a_schedule_of_its_own_is_kept_to_within_a_fifth_and_then_it_is_given_up(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
    pauses: Sequence[int],
) -> None:
    await tenants.change(webhook, retry_schedule="custom", retry_pauses=list(pauses))
    receiver.handler = answer(500)
    await fan_out_events()
    await deliverer.settle()
    for pause in pauses:
        wait = await due_after(tenants, webhook, clock())
        assert pause * 0.8 - 2 <= wait <= pause * 1.2
        clock.advance(timedelta(seconds=wait))
        await deliverer.deliver_due()
        await deliverer.settle()
    failed = await tenants.delivery(webhook)
    assert (failed.status, failed.attempt_count) == ("failed", len(pauses) + 1)


def test_pauses_differ_by_a_fifth_at_the_most() -> None:
    pauses = [jittered(timedelta(seconds=100)).total_seconds() for _ in range(2000)]
    assert 80 <= min(pauses) < 85
    assert 115 < max(pauses) <= 120


async def test_a_receiver_may_ask_for_more_time_than_the_schedule_gives_and_not_for_less(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    await tenants.change(webhook, retry_schedule="custom", retry_pauses=[100, 100, 100])
    receiver.handler = answer(504, retry_after="7200")
    await fan_out_events()
    await deliverer.settle()
    assert 7190 < await due_after(tenants, webhook, clock()) <= 7200
    clock.advance(timedelta(seconds=7200))
    receiver.handler = answer(429, retry_after="1")
    await deliverer.deliver_due()
    await deliverer.settle()
    assert 75 < await due_after(tenants, webhook, clock()) <= 120


async def test_a_schedule_that_becomes_shorter_ends_what_is_past_it(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    await tenants.change(webhook, retry_schedule="custom", retry_pauses=[5, 5, 5, 5])
    receiver.handler = answer(500)
    await fan_out_events()
    for _ in range(3):
        await deliverer.settle()
        clock.advance(timedelta(seconds=10))
        await deliverer.deliver_due()
    await deliverer.settle()
    assert (await tenants.delivery(webhook)).status == "pending"
    await tenants.change(webhook, retry_pauses=[5])
    clock.advance(timedelta(seconds=10))
    await deliverer.deliver_due()
    await deliverer.settle()
    assert (await tenants.delivery(webhook)).status == "failed"


async def test_an_attempt_takes_as_long_as_its_webhook_allows(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    new_deliverer: NewDeliverer,
) -> None:
    impatient = await new_deliverer(seconds=0.2)
    await tenants.change(webhook, timeout_seconds=2)
    receiver.handler = hanging(0.6)
    await EventFanOut(tenants.sessions, clock, impatient.deliver)()
    await impatient.settle()
    assert (await tenants.delivery(webhook)).status == "delivered"
    patient = await new_deliverer(seconds=5.0)
    await tenants.change(webhook, timeout_seconds=1)
    receiver.handler = hanging(3)
    await tenants.redeliver(await tenants.delivery(webhook), clock())
    await patient.deliver_due()
    await patient.settle()
    attempt = (await tenants.attempts(await tenants.delivery(webhook)))[-1]
    assert attempt.error == "There was no answer in time."
    assert 1000 <= attempt.duration_ms < 2000


async def test_nobody_else_takes_a_delivery_while_its_longer_attempt_goes_on(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    new_deliverer: NewDeliverer,
    deliverer: Deliverer,
) -> None:
    other = await new_deliverer()
    await tenants.change(webhook, timeout_seconds=30)
    receiver.handler = hanging(0.5)
    await fan_out_events()
    await receiver.got(1)
    clock.advance(LEASE + timedelta(seconds=29))
    await other.deliver_due()
    await asyncio.gather(other.settle(), deliverer.settle())
    assert len(receiver.requests) == 1
    assert (await tenants.delivery(webhook)).status == "delivered"


async def test_headers_of_its_own_are_sent_with_every_attempt_and_to_nobody_else(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    await tenants.change(
        webhook, sealed_headers=sealed(tenants, Authorization="Bearer s3cret", X_Tenant="a b")
    )
    receiver.handler = answer(500)
    await fan_out_events()
    await deliverer.settle()
    clock.advance(timedelta(seconds=73))
    await deliverer.deliver_due()
    await deliverer.settle()
    for request in await receiver.got(2):
        assert request.headers["authorization"] == "Bearer s3cret"
        assert request.headers["x-tenant"] == "a b"
        assert request.headers["content-type"] == "application/json"
    request.verified_by(webhook.secret)
    # The same receiver, and with it the same connection, for another webhook.
    plain = await tenants.webhook((await _only(tenants, webhook)).organization_id, receiver.url)
    await tenants.change(webhook, enabled=False)
    await tenants.event((await _only(tenants, webhook)).organization_id)
    await fan_out_events()
    await deliverer.settle()
    assert "authorization" not in receiver.requests[-1].headers
    assert receiver.requests[-1].webhook_id == str((await tenants.delivery(plain)).id)


async def _only(tenants: Tenants, webhook: Subscription) -> Delivery:
    return (await tenants.deliveries(webhook))[0]


async def test_a_receiver_that_shows_what_it_was_sent_reveals_no_header(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
    capfd: pytest.CaptureFixture[str],
) -> None:
    await tenants.change(webhook, sealed_headers=sealed(tenants, Authorization="Bearer s3cret"))
    receiver.handler = answer(500, b"Bearer s3cret?" + b"x" * 2021 + b" Bearer s3cret")
    await fan_out_events()
    await deliverer.settle()
    body = (await tenants.attempt(webhook)).response_body
    assert body.startswith("[redacted]?x")
    assert body.endswith("x [redacted]")
    assert "s3cret" not in capfd.readouterr().out


async def test_headers_that_cannot_be_read_are_an_attempt_that_failed(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    await tenants.change(webhook, sealed_headers=b"sealed with another key")
    await fan_out_events()
    await deliverer.settle()
    assert (await tenants.attempt(webhook)).error == "The delivery could not be made."
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("signing", "expected"), [("v1", ["v1"]), ("v1a", ["v1a"]), ("both", ["v1", "v1a"])]
)
async def test_a_delivery_is_signed_as_its_webhook_says(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    signing: str,
    expected: list[str],
) -> None:
    pair = await sign_with_key(tenants, webhook, signing)
    await fan_out_events()
    (request,) = await receiver.got(1)
    assert versions(request) == expected
    if "v1" in expected:
        request.verified_by(webhook.secret)
    else:
        with pytest.raises(WebhookVerificationError):
            request.verified_by(webhook.secret)
    assert verified_with(pair, request) == ("v1a" in expected)
    assert not verified_with(new_key_pair(tenants.secrets), request)
    changed = Received(request.headers, request.body.replace(b"created", b"revoked"))
    assert not verified_with(pair, changed)


async def test_during_the_overlap_of_a_rotation_both_keys_verify(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    old = await sign_with_key(tenants, webhook, "both")
    new = await sign_with_key(tenants, webhook, "both")
    await tenants.change(
        webhook,
        sealed_previous_private_key=old.sealed,
        previous_public_key=old.public,
        previous_key_expires_at=clock() + timedelta(hours=1),
    )
    receiver.handler = answer(500)
    await fan_out_events()
    await deliverer.settle()
    (first,) = receiver.requests
    assert versions(first) == ["v1", "v1a", "v1a"]
    assert verified_with(new, first)
    assert verified_with(old, first)
    first.verified_by(webhook.secret)
    receiver.handler = accept
    clock.advance(timedelta(hours=1))
    await deliverer.deliver_due()
    await deliverer.settle()
    later = receiver.requests[-1]
    assert versions(later) == ["v1", "v1a"]
    assert verified_with(new, later)
    assert not verified_with(old, later)
