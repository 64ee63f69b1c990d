"""Promises about what is cleared away, and above all about what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from portico_kit.clock import utc_now
from portico_kit.ids import earliest_id, new_id
from portico_kit.tasks.cleanup import Cleanup
from portico_kit.testing.clocks import OffsetClock
from server.app import FEATURES
from server.common.records import Event, IdempotentAnswer
from server.common.times import EVENTS_KEPT, KEPT
from server.features.auth.models import StoredSigningKey
from server.features.auth.signing_keys import MAX_AGE, SigningKeys
from server.features.auth.tasks import SigningKeyRotation
from server.features.emails.models import Email
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.models import Attempt, Delivery
from tests.workers.harness import Receiver, Tenants


@pytest.fixture
def cleanup(tenants: Tenants, clock: OffsetClock) -> Cleanup:
    """The cleanup of a worker."""
    deletions = {name: run for one in FEATURES for name, run in one.tables().cleanup.items()}
    return Cleanup(tenants.sessions, clock, deletions)


async def count(tenants: Tenants, model: Any) -> int:
    """How many rows a table has."""
    async with tenants.sessions() as db:
        return await db.scalar(select(func.count()).select_from(model)) or 0


async def remember_answer(tenants: Tenants, scope: bytes, expires_at: datetime) -> None:
    """Puts down the answer of a write that had an Idempotency-Key."""
    async with tenants.sessions.begin() as db:
        db.add(
            IdempotentAnswer(
                scope=scope,
                request_digest=b"",
                method="/a/Method",
                sealed_answer=b"",
                expires_at=expires_at,
            )
        )


async def test_answers_are_forgotten_when_their_key_holds_no_longer(
    tenants: Tenants, cleanup: Cleanup, clock: OffsetClock
) -> None:
    await remember_answer(tenants, b"over", clock() - timedelta(seconds=1))
    await remember_answer(tenants, b"holds", clock() + timedelta(hours=1))
    await cleanup()
    async with tenants.sessions() as db:
        assert list(await db.scalars(select(IdempotentAnswer.scope))) == [b"holds"]


async def test_more_rows_than_one_batch_are_all_deleted(
    tenants: Tenants, cleanup: Cleanup, clock: OffsetClock
) -> None:
    for number in range(7):
        await remember_answer(tenants, bytes([number]), clock())
    await replace(cleanup, batch=2)()
    assert await count(tenants, IdempotentAnswer) == 0


async def test_what_was_told_and_sent_is_kept_for_30_days(
    tenants: Tenants,
    cleanup: Cleanup,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    organization = await tenants.organization()
    await tenants.webhook(organization, receiver.url)
    await tenants.event(organization)
    await fan_out_events()
    await deliverer.settle()
    clock.advance(KEPT - timedelta(hours=1))
    await cleanup()
    kept = [await count(tenants, model) for model in (Event, Delivery, Attempt)]
    clock.advance(timedelta(hours=2))
    await cleanup()
    assert kept == [1, 1, 1]
    assert [await count(tenants, model) for model in (Delivery, Attempt)] == [0, 0]


async def test_the_row_of_an_event_is_kept_while_a_late_delivery_may_need_it(
    tenants: Tenants, cleanup: Cleanup, clock: OffsetClock, fan_out_events: EventFanOut
) -> None:
    await tenants.event(await tenants.organization())
    await fan_out_events()
    clock.advance(EVENTS_KEPT - timedelta(hours=1))
    await cleanup()
    assert await count(tenants, Event) == 1
    clock.advance(timedelta(hours=2))
    await cleanup()
    assert await count(tenants, Event) == 0


async def test_what_is_still_to_be_told_or_sent_is_never_deleted(
    tenants: Tenants, cleanup: Cleanup, receiver: Receiver, clock: OffsetClock
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    await tenants.event(organization)
    await tenants.email("verify_email")
    async with tenants.sessions.begin() as db:
        db.add(_pending_delivery(organization, webhook.id, clock()))
    clock.advance(KEPT * 2)
    await cleanup()
    assert [await count(tenants, model) for model in (Event, Delivery, Email)] == [1, 1, 1]


def _pending_delivery(organization_id: UUID, webhook_id: UUID, now: datetime) -> Delivery:
    return Delivery(
        organization_id=organization_id,
        webhook_id=webhook_id,
        event_id=new_id(),
        event_type="key.created",
        payload="{}",
        next_attempt_at=now,
    )


async def test_the_signing_key_is_followed_by_another_when_it_is_old(
    tenants: Tenants, engine: AsyncEngine, clock: OffsetClock
) -> None:
    rotate = SigningKeyRotation(SigningKeys(engine, tenants.secrets, clock), clock)
    await rotate()
    await rotate()
    assert await count(tenants, StoredSigningKey) == 1
    clock.advance(MAX_AGE)
    await rotate()
    assert await count(tenants, StoredSigningKey) == 2


def test_the_earliest_id_of_a_moment_parts_older_ids_from_newer_ones() -> None:
    older = new_id()
    moment = utc_now() + timedelta(milliseconds=5)
    assert older < earliest_id(moment)
    assert earliest_id(moment - timedelta(seconds=1)) < older


async def test_a_table_that_cannot_be_cleaned_keeps_no_other_from_it(
    tenants: Tenants, cleanup: Cleanup, clock: OffsetClock
) -> None:
    async def fail(*_: Any) -> int:
        raise LookupError("this table is broken")

    await remember_answer(tenants, b"over", clock() - timedelta(seconds=1))
    before = await count(tenants, IdempotentAnswer)
    first = replace(cleanup, deletions={"broken": fail, **cleanup.deletions})
    with capture_logs() as logs:
        await first()
    assert [one["table"] for one in logs if one["event"] == "cleanup_failed"] == ["broken"]
    assert await count(tenants, IdempotentAnswer) < before
