"""Promises about events that belong to no organization: only who names them is sent them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from portico.auth.v1 import auth_service_pb2 as auth
from portico.users.v1 import user_service_pb2 as users
from portico.webhooks.v1 import webhook_service_pb2 as webhooks

from portico_kit.testing.clocks import OffsetClock
from server.common.outbound_addresses import AddressPolicy
from server.common.records import Event
from server.features.webhooks.backlog import catch_up, fall_behind
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery.http import WebhookClient
from tests.core.conftest import ENGINES, running
from tests.core.users.conftest import appoint
from tests.workers.harness import Receiver, Subscription, Tenants, receiving


async def platform_event(tenants: Tenants, organization_id: UUID, event_type: str) -> None:
    """An event about somebody, as the core puts it down for the operator's organization."""
    async with tenants.sessions.begin() as db:
        data = {"id": "018f", "email": "ada@example.com"}
        event = Event(organization_id=organization_id, type=event_type, platform=True, data=data)
        db.add(event)


async def test_a_webhook_for_everything_is_not_sent_what_happens_to_people(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    operator, other = await tenants.organization(), await tenants.organization()
    named = await tenants.webhook(operator, receiver.url, "user.updated")
    both = await tenants.webhook(operator, receiver.url, "*", "user.updated")
    everything = await tenants.webhook(operator, receiver.url, "*")
    strangers = [
        await tenants.webhook(operator, receiver.url, "user.created"),
        await tenants.webhook(other, receiver.url, "*", "user.updated"),
    ]
    await platform_event(tenants, operator, "user.updated")
    await tenants.event(operator, "key.created")
    await fan_out_events()
    await deliverer.settle()
    received = {
        each.id: sorted(one.event_type for one in await tenants.deliveries(each))
        for each in (named, both, everything, *strangers)
    }
    assert received == {
        named.id: ["user.updated"],
        both.id: ["key.created", "user.updated"],
        everything.id: ["key.created"],
        **{each.id: [] for each in strangers},
    }


async def test_nor_when_it_catches_up_on_what_it_missed(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, fan_out_events: EventFanOut
) -> None:
    operator = await tenants.organization()
    everything = await tenants.webhook(operator, receiver.url, "*")
    both = await tenants.webhook(operator, receiver.url, "*", "user.updated")
    for webhook in (everything, both):
        await tenants.change(webhook, behind_since=clock() - timedelta(minutes=5))
    await platform_event(tenants, operator, "user.updated")
    await tenants.event(operator, "key.created")
    await fan_out_events()
    for webhook in (everything, both):
        async with tenants.sessions.begin() as db:
            await catch_up(db, webhook.id, clock())
    assert [one.event_type for one in await tenants.deliveries(everything)] == ["key.created"]
    caught_up = {one.event_type for one in await tenants.deliveries(both)}
    assert caught_up == {"key.created", "user.updated"}


async def test_what_happens_to_a_person_reaches_the_operators_webhook_signed(
    database_url: str, valkey_url: str, receiver: Receiver
) -> None:
    """From the sign-in at the core to the receiver; who asked for everything hears nothing."""
    async with running(ENGINES[0], database_url, valkey_url) as core:
        owner = await core.new_person()
        organization_id = await core.new_organization(owner)
    operator = UUID(organization_id)
    async with (
        receiving() as other,
        running(ENGINES[0], database_url, valkey_url, operator_organization=operator) as core,
    ):
        await appoint(core, owner)
        secrets = {}
        for url, types in (
            (receiver.url, ["session.created", "session.ended", "user.password_changed"]),
            (other.url, ["*"]),
        ):
            request = webhooks.CreateWebhookRequest(
                organization_id=organization_id, url=url, event_types=types
            )
            made = await core.webhooks.CreateWebhook(request, metadata=owner.metadata)
            secrets[url] = made.secret
        person = await core.new_person()
        await core.users.ChangePassword(
            users.ChangePasswordRequest(
                current_password=person.password, new_password="a different long sentence"
            ),
            metadata=person.metadata,
        )
        await core.auth.Logout(auth.LogoutRequest(), metadata=person.metadata)
        tenants = Tenants(core.engine, core.secrets)
        client = WebhookClient(AddressPolicy(allow_loopback=True), core.clock, "test", 5.0)
        deliverer = Deliverer(tenants.sessions, client, core.secrets, core.clock)
        await EventFanOut(tenants.sessions, core.clock, deliverer.deliver)()
        await deliverer.settle()
        await client.close()
    payloads = [one.verified_by(secrets[receiver.url]) for one in receiver.requests]
    found = {one["type"]: one["data"] for one in payloads}
    assert set(found) == {"session.created", "session.ended", "user.password_changed"}
    assert {one["organizationId"] for one in payloads} == {organization_id}
    assert found["session.created"]["userId"] == person.id
    assert found["session.ended"]["endReason"] == "signed_out"
    assert found["user.password_changed"]["email"] == person.email
    heard = {one.verified_by(secrets[other.url])["type"] for one in other.requests}
    assert heard == {"organization.created", "webhook.created"}


async def everywhere(tenants: Tenants, operator: UUID, url: str, *types: str) -> Subscription:
    """A webhook of the operator for the events of all organizations."""
    webhook = await tenants.webhook(operator, url, *types)
    await tenants.change(webhook, all_organizations=True)
    return webhook


async def test_a_webhook_for_all_organizations_is_sent_the_events_of_each_with_its_id(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    operator, *others = [await tenants.organization() for _ in range(3)]
    everything = await everywhere(tenants, operator, receiver.url, "*")
    keys = await everywhere(tenants, operator, receiver.url, "key.created", "user.created")
    own = await tenants.webhook(others[0], receiver.url, "*")
    for each in (operator, *others):
        await tenants.event(each, "key.created")
    await tenants.event(others[0], "project.created")
    await platform_event(tenants, operator, "user.created")
    await fan_out_events()
    await deliverer.settle()
    received: dict[UUID, list[tuple[str, str]]] = {}
    for webhook in (everything, keys, own):
        ids = {str(one.id) for one in await tenants.deliveries(webhook)}
        payloads = [
            one.verified_by(webhook.secret) for one in receiver.requests if one.webhook_id in ids
        ]
        received[webhook.id] = sorted((one["organizationId"], one["type"]) for one in payloads)
    created = [(str(each), "key.created") for each in (operator, *others)]
    project = (str(others[0]), "project.created")
    assert received == {
        everything.id: sorted([*created, project]),
        keys.id: sorted([*created, (str(operator), "user.created")]),
        own.id: sorted([created[1], project]),
    }
    # No tenant has a row of it.
    for webhook in (everything, keys):
        assert {one.organization_id for one in await tenants.deliveries(webhook)} == {operator}


async def test_it_catches_up_on_what_it_missed_of_each(
    tenants: Tenants, receiver: Receiver, clock: OffsetClock, fan_out_events: EventFanOut
) -> None:
    operator, other = await tenants.organization(), await tenants.organization()
    webhook = await everywhere(tenants, operator, receiver.url, "key.created", "user.login")
    await tenants.change(webhook, failing_since=clock())
    async with tenants.sessions.begin() as db:
        await fall_behind(db, webhook.id, clock())
    for each in (operator, other):
        await tenants.event(each, "key.created")
        await tenants.event(each, "key.revoked")
    await platform_event(tenants, operator, "session.created")
    await fan_out_events()
    assert await tenants.deliveries(webhook) == []
    async with tenants.sessions.begin() as db:
        await catch_up(db, webhook.id, clock())
    told = [one.event_type for one in await tenants.deliveries(webhook)]
    assert sorted(told) == ["key.created", "key.created", "user.login"]


async def test_an_event_with_another_name_is_sent_once_and_by_the_name_that_was_asked_for(
    tenants: Tenants, receiver: Receiver, fan_out_events: EventFanOut, deliverer: Deliverer
) -> None:
    operator = await tenants.organization()
    alias = await tenants.webhook(operator, receiver.url, "user.login", "user.logout")
    both = await tenants.webhook(operator, receiver.url, "user.login", "session.created")
    mfa = await tenants.webhook(operator, receiver.url, "mfa.enabled")
    for event_type in ("session.created", "session.ended", "factor.added"):
        await platform_event(tenants, operator, event_type)
    await fan_out_events()
    await deliverer.settle()
    told = {
        webhook.id: sorted(one.event_type for one in await tenants.deliveries(webhook))
        for webhook in (alias, both, mfa)
    }
    assert told == {
        alias.id: ["user.login", "user.logout"],
        both.id: ["session.created"],
        mfa.id: ["mfa.enabled"],
    }
    ids = {str(one.id) for one in await tenants.deliveries(mfa)}
    (request,) = [one for one in receiver.requests if one.webhook_id in ids]
    assert request.verified_by(mfa.secret)["type"] == "mfa.enabled"
