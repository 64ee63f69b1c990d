"""Webhooks for what happens to people: of the operator's organization, by administrators alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.webhooks.v1 import webhook_service_pb2 as pb
from sqlalchemy import text

from portico_contract import organization_permissions, platform_event_permissions
from tests.core.conftest import Refused
from tests.core.operator import Operator
from tests.core.operator import operator as operator
from tests.core.operator import world as world
from tests.core.users.conftest import appoint
from tests.core.webhooks.conftest import URL, WebhookClient
from tests.core.world import Person, World

DENIED = grpc.StatusCode.PERMISSION_DENIED
INVALID = grpc.StatusCode.INVALID_ARGUMENT
OF_PEOPLE = "user.updated"


async def dismiss_all(world: World) -> None:
    """Nobody is an administrator any more."""
    async with world.engine.begin() as connection:
        await connection.execute(text("update users set role = 'user'"))


@pytest.fixture
async def administrating(world: World, operator: Operator) -> AsyncIterator[WebhookClient]:
    """The operator's webhooks, by an owner who is an administrator of the platform."""
    await appoint(world, operator.owner)
    yield WebhookClient(world, operator.organization_id, operator.owner)
    await dismiss_all(world)
    async with world.engine.begin() as connection:
        await connection.execute(
            text("delete from webhooks where organization_id = :id"),
            {"id": operator.organization_id},
        )


def creating(
    world: World, organization_id: str, metadata: Any, *event_types: str
) -> Awaitable[pb.CreateWebhookResponse]:
    request = pb.CreateWebhookRequest(
        organization_id=organization_id, url=URL, event_types=event_types
    )
    return world.webhooks.CreateWebhook(request, metadata=metadata)


async def test_an_administrator_subscribes_to_every_event_about_people(
    administrating: WebhookClient,
) -> None:
    webhook = (await administrating.create(*platform_event_permissions())).webhook
    assert set(webhook.event_types) == set(platform_event_permissions())
    updated = await administrating.update(webhook.id, event_types=["*", "session.ended"])
    assert list(updated.webhook.event_types) == ["*", "session.ended"]


async def test_an_owner_who_is_no_administrator_does_not(
    world: World, operator: Operator, refused: Refused
) -> None:
    client = WebhookClient(world, operator.organization_id, operator.owner)
    for wanted in ([OF_PEOPLE], ["*", "key.created", OF_PEOPLE]):
        found = await refused(client.create(*wanted), DENIED, "PERMISSIONS_EXCEEDED")
        assert found.metadata == {"permissions": "users:read"}
    webhook = (await client.create("*")).webhook
    widening = client.update(webhook.id, event_types=["*", OF_PEOPLE])
    await refused(widening, DENIED, "PERMISSIONS_EXCEEDED")
    assert list((await client.get(webhook.id)).event_types) == ["*"]


async def test_an_administrator_without_the_organizations_permission_does_not(
    world: World, operator: Operator, administrating: WebhookClient, refused: Refused
) -> None:
    """Neither one who is no member nor one who may only read."""
    stranger, organization_id = await world.new_person(), operator.organization_id
    viewer = await world.new_member(organization_id, operator.owner, "viewer")
    for person, code, reason in (
        (stranger, grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
        (viewer, DENIED, "PERMISSION_DENIED"),
    ):
        await appoint(world, person)
        attempt = creating(world, organization_id, person.metadata, OF_PEOPLE)
        await refused(attempt, code, reason)


async def test_an_api_key_does_not_whatever_its_scopes(
    world: World, operator: Operator, administrating: WebhookClient, refused: Refused
) -> None:
    everything = sorted(organization_permissions())
    key = await world.new_key(operator.organization_id, operator.owner, *everything)
    metadata = await world.key_metadata(key.secret)
    attempt = creating(world, operator.organization_id, metadata, OF_PEOPLE)
    found = await refused(attempt, DENIED, "PERMISSIONS_EXCEEDED")
    assert found.metadata == {"permissions": "users:read"}
    webhook = (await administrating.create(OF_PEOPLE)).webhook
    elsewhere = pb.UpdateWebhookRequest(webhook_id=webhook.id, url="https://example.org/")
    moving = world.webhooks.UpdateWebhook(elsewhere, metadata=metadata)
    await refused(moving, DENIED, "PERMISSIONS_EXCEEDED")
    scoped = keys.CreateApiKeyRequest(
        organization_id=operator.organization_id, name="a key", scopes=["users:read"]
    )
    granting = world.keys.CreateApiKey(scoped, metadata=operator.owner.metadata)
    await refused(granting, INVALID, "SCOPE_UNKNOWN")


async def test_another_organization_cannot_subscribe_and_is_told_why(
    world: World, operator: Operator, administrating: WebhookClient, refused: Refused
) -> None:
    """Not even one of an administrator's own."""
    organization_id = await world.new_organization(operator.owner)
    attempt = creating(world, organization_id, operator.owner.metadata, "*", OF_PEOPLE)
    found = await refused(attempt, INVALID, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == (("event_types[1]",), ("EVENT_TYPE_OF_OPERATOR",))
    client = WebhookClient(world, organization_id, operator.owner)
    webhook = (await client.create("*")).webhook
    found = await refused(
        client.update(webhook.id, event_types=[OF_PEOPLE]), INVALID, "VALIDATION_ERROR"
    )
    assert found.reasons == ("EVENT_TYPE_OF_OPERATOR",)


Through = Callable[[WebhookClient, str, str], Awaitable[Any]]
THROUGH: dict[str, Through] = {
    "move it": lambda client, webhook, delivery: client.update(webhook, url="https://example.org/"),
    "disable it": lambda client, webhook, delivery: client.update(webhook, enabled=False),
    "take the types off it": lambda client, webhook, delivery: client.update(
        webhook, event_types=["*"]
    ),
    "test it": lambda client, webhook, delivery: client.test(webhook),
    "get its secret": lambda client, webhook, delivery: client.rotate(webhook),
    "read a delivery": lambda client, webhook, delivery: client.delivery(delivery),
    "have a delivery sent again": lambda client, webhook, delivery: client.redeliver(delivery),
}


async def test_who_is_no_administrator_any_more_acts_no_longer_through_the_webhook(
    world: World, administrating: WebhookClient, refused: Refused
) -> None:
    webhook = (await administrating.create(OF_PEOPLE)).webhook
    delivery = await administrating.test(webhook.id)
    async with world.engine.begin() as connection:
        # As if the worker had told of somebody, and had given up.
        await connection.execute(
            text(
                "update deliveries set event_type = :type, status = 'failed',"
                ' next_attempt_at = null, payload = \'{"email": "ada@example.com"}\''
                " where id = :id"
            ),
            {"id": delivery.id, "type": OF_PEOPLE},
        )
    assert "ada@example.com" in (await administrating.delivery(delivery.id)).payload
    await dismiss_all(world)
    for through in THROUGH.values():
        attempt = through(administrating, webhook.id, delivery.id)
        found = await refused(attempt, DENIED, "PERMISSIONS_EXCEEDED")
        assert found.metadata == {"permissions": "users:read"}
    # Lists show no payload, and taking power away takes no power.
    listed = await world.webhooks.ListDeliveries(
        pb.ListDeliveriesRequest(webhook_id=webhook.id), metadata=administrating.owner.metadata
    )
    assert [(one.event_type, one.payload) for one in listed.deliveries] == [(OF_PEOPLE, "")]
    await world.webhooks.DeleteWebhook(
        pb.DeleteWebhookRequest(webhook_id=webhook.id), metadata=administrating.owner.metadata
    )


async def test_a_suspended_administrator_acts_no_longer(
    world: World, administrating: WebhookClient, operator: Operator, refused: Refused
) -> None:
    person: Person = await world.new_member(operator.organization_id, operator.owner, "admin")
    await appoint(world, person)
    client = WebhookClient(world, operator.organization_id, person)
    await client.create(OF_PEOPLE)
    async with world.engine.begin() as connection:
        statement = text("update users set status = 'suspended' where id = :id")
        await connection.execute(statement, {"id": person.id})
    await refused(client.create(OF_PEOPLE), grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_an_administrator_subscribes_to_the_events_of_all_organizations(
    world: World, operator: Operator, administrating: WebhookClient, refused: Refused
) -> None:
    webhook = (await administrating.create("*", OF_PEOPLE, all_organizations=True)).webhook
    assert webhook.all_organizations
    assert (await administrating.get(webhook.id)).all_organizations
    assert not (await administrating.create("*")).webhook.all_organizations
    everything = sorted(organization_permissions())
    key = await world.new_key(operator.organization_id, operator.owner, *everything)
    metadata = await world.key_metadata(key.secret)
    moving = world.webhooks.UpdateWebhook(
        pb.UpdateWebhookRequest(webhook_id=webhook.id, url="https://example.org/"),
        metadata=metadata,
    )
    await refused(moving, DENIED, "PERMISSIONS_EXCEEDED")
    delivery = await administrating.test(webhook.id)
    await dismiss_all(world)
    for through in THROUGH.values():
        attempt = through(administrating, webhook.id, delivery.id)
        found = await refused(attempt, DENIED, "PERMISSIONS_EXCEEDED")
        assert "organizations:write" in found.metadata["permissions"].split()
    attempt = administrating.create("key.created", all_organizations=True)
    found = await refused(attempt, DENIED, "PERMISSIONS_EXCEEDED")
    assert found.metadata == {"permissions": "organizations:write"}


async def test_no_other_organization_has_a_webhook_for_all(
    world: World, operator: Operator, administrating: WebhookClient, refused: Refused
) -> None:
    """Not even one of an administrator's own; and nobody there sees the operator's."""
    webhook = (await administrating.create("*", all_organizations=True)).webhook
    organization_id = await world.new_organization(operator.owner)
    stranger = await world.new_member(organization_id, operator.owner, "admin")
    for person in (operator.owner, stranger):
        client = WebhookClient(world, organization_id, person)
        attempt = client.create("*", all_organizations=True)
        found = await refused(attempt, INVALID, "VALIDATION_ERROR")
        assert found.fields == ("all_organizations",)
        assert found.reasons == ("ALL_ORGANIZATIONS_OF_OPERATOR",)
    client = WebhookClient(world, organization_id, stranger)
    await refused(client.get(webhook.id), grpc.StatusCode.NOT_FOUND, "WEBHOOK_NOT_FOUND")
    listed = await world.webhooks.ListWebhooks(
        pb.ListWebhooksRequest(organization_id=organization_id), metadata=stranger.metadata
    )
    assert list(listed.webhooks) == []


async def test_the_events_of_all_organizations_stand_in_no_single_line(
    administrating: WebhookClient, refused: Refused
) -> None:
    ordered = {"all_organizations": True, "ordering": "field", "order_by": "data.id"}
    webhook = (await administrating.create("*", **ordered)).webhook
    for attempt in (
        administrating.create("*", all_organizations=True, ordering="webhook"),
        administrating.update(webhook.id, ordering="webhook"),
    ):
        found = await refused(attempt, INVALID, "VALIDATION_ERROR")
        assert found.fields == ("ordering",)
        assert found.reasons == ("ORDERING_BY_ORGANIZATION",)


async def test_a_type_may_be_called_by_its_other_name(
    world: World, operator: Operator, administrating: WebhookClient, refused: Refused
) -> None:
    names = ["mfa.enabled", "user.login", "user.logout"]
    webhook = (await administrating.create(*names)).webhook
    assert list(webhook.event_types) == names
    organization_id = await world.new_organization(operator.owner)
    elsewhere = WebhookClient(world, organization_id, operator.owner).create(*names)
    found = await refused(elsewhere, INVALID, "VALIDATION_ERROR")
    assert found.reasons == ("EVENT_TYPE_OF_OPERATOR",) * 3
    await dismiss_all(world)
    found = await refused(administrating.create("user.login"), DENIED, "PERMISSIONS_EXCEEDED")
    assert found.metadata == {"permissions": "users:read"}
