"""Promises about receivers that answer 410 Gone."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from portico_kit.ids import new_id
from portico_kit.testing.clocks import OffsetClock
from server.common.records import AuditEntry
from server.features.emails.models import EMAIL_PURPOSE, Email
from server.features.emails.rendering import render
from server.features.organizations.models import Membership
from server.features.users.models import User, UserProfile
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.mails import WEBHOOK_DISABLED
from server.features.webhooks.models import Webhook
from tests.workers.harness import Receiver, Tenants, answer, receiving


async def owner_of(tenants: Tenants, organization_id: UUID, **fields: object) -> str:
    """A new owner of an organization; gives the address."""
    email = f"{new_id().hex}@example.com"
    async with tenants.sessions.begin() as db:
        user = User(id=new_id(), email=email, role="user", profile=UserProfile(display_name="Ada"))
        for name, value in fields.items():
            setattr(user, name, value)
        db.add(user)
        await db.flush()
        db.add(Membership(organization_id=organization_id, user_id=user.id, role="owner"))
    return email


async def mails(tenants: Tenants) -> list[tuple[str, dict[str, str]]]:
    """The addresses and variables of all mails about disabled webhooks."""
    query = select(Email).where(Email.template == "webhook_disabled").order_by(Email.id)
    async with tenants.sessions() as db:
        found = (await db.scalars(query)).all()
    return [
        (one.recipient, json.loads(tenants.secrets.unseal(EMAIL_PURPOSE, one.sealed_variables)))
        for one in found
        if one.sealed_variables
    ]


async def test_410_disables_the_webhook_at_once_and_says_why(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    organization = await tenants.organization()
    gone = await tenants.webhook(organization, receiver.url + "/token?key=s3cret")
    receiver.handler = answer(410)
    await tenants.events(organization, 5)
    await fan_out_events()
    await deliverer.settle()
    async with tenants.sessions() as db:
        row = await db.get_one(Webhook, gone.id)
        query = select(AuditEntry).where(AuditEntry.target_id == gone.id)
        (entry,) = (await db.scalars(query)).all()
    assert (row.enabled, row.disabled_reason) == (False, "gone")
    assert row.disabled_at is not None
    assert (entry.action, entry.actor_kind) == ("webhook.disabled", "service")
    assert "s3cret" not in str(entry.details)
    assert "token" not in str(entry.details)
    assert {each.status for each in await tenants.deliveries(gone)} == {"pending"}


async def test_the_other_webhooks_hear_of_it(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    organization = await tenants.organization()
    async with receiving() as gone_receiver:
        gone_receiver.handler = answer(410)
        gone = await tenants.webhook(organization, gone_receiver.url, "key.created")
        watching = await tenants.webhook(organization, receiver.url, "webhook.disabled")
        await tenants.event(organization)
        await fan_out_events()
        await deliverer.settle()
        await fan_out_events()
        await deliverer.settle()
    (request,) = receiver.requests
    payload = request.verified_by(watching.secret)
    assert (payload["type"], payload["data"]["id"]) == ("webhook.disabled", str(gone.id))
    assert payload["data"]["disabledReason"] == "gone"
    assert payload["data"]["url"].endswith("/…")


async def test_owners_who_can_act_get_one_mail(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    organization = await tenants.organization()
    email = await owner_of(tenants, organization)
    await owner_of(tenants, organization, status="suspended")
    gone = await tenants.webhook(organization, receiver.url + "?key=s3cret")
    receiver.handler = answer(410)
    await tenants.events(organization, 20)
    await fan_out_events()
    await deliverer.settle()
    ((recipient, variables),) = await mails(tenants)
    assert recipient == email
    mail = render(WEBHOOK_DISABLED, variables, "https://portico.example")
    assert str(gone.id) in mail.text
    assert "s3cret" not in mail.text + mail.html


async def test_enabling_it_again_and_again_makes_one_mail_a_day(
    tenants: Tenants,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
) -> None:
    organization = await tenants.organization()
    await owner_of(tenants, organization)
    gone = await tenants.webhook(organization, receiver.url)
    receiver.handler = answer(410)

    async def once_more() -> int:
        await tenants.change(gone, enabled=True)
        await tenants.event(organization)
        await fan_out_events()
        await deliverer.settle()
        async with tenants.sessions() as db:
            assert not (await db.get_one(Webhook, gone.id)).enabled
        return len(await mails(tenants))

    assert [await once_more() for _ in range(4)] == [1, 1, 1, 1]
    clock.advance(timedelta(days=1, seconds=1))
    assert await once_more() == 2


async def test_an_attempt_whose_claim_ran_out_disables_nothing(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)

    async def late(_request: object) -> object:
        await tenants.let_claims_run_out()
        return await answer(410)(_request)  # type: ignore[arg-type]

    receiver.handler = late  # type: ignore[assignment]
    await tenants.event(organization)
    await fan_out_events()
    await deliverer.settle()
    async with tenants.sessions() as db:
        assert (await db.get_one(Webhook, webhook.id)).enabled


@pytest.mark.parametrize("status", [404, 401, 451, 500])
async def test_no_other_answer_disables(
    tenants: Tenants,
    receiver: Receiver,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
    status: int,
) -> None:
    organization = await tenants.organization()
    webhook = await tenants.webhook(organization, receiver.url)
    receiver.handler = answer(status)
    await tenants.event(organization)
    await fan_out_events()
    await deliverer.settle()
    async with tenants.sessions() as db:
        assert (await db.get_one(Webhook, webhook.id)).enabled
