"""Acting through what can do more than oneself: every method, every weaker hand.

A key that may do everything, a webhook that hears everything, an owner and their
invitation: who may do less does not change them, use them or get their secrets.
Revoking and deleting them stays possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc import aio
from portico.applications.v1 import application_service_pb2 as applications
from portico.applications.v1.application_service_pb2_grpc import ApplicationServiceStub
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.webhooks.v1 import replay_service_pb2 as replays
from portico.webhooks.v1 import webhook_service_pb2 as webhooks
from portico.webhooks.v1.replay_service_pb2_grpc import ReplayServiceStub
from sqlalchemy import text

from portico_contract import (
    event_permissions,
    organization_permissions,
    platform_event_permissions,
)
from server.app import ROLES
from server.common.event_names import ALIASES
from tests.core.conftest import Refused
from tests.core.organizations.organization_fixture import GUARDED
from tests.core.world import Person, World, new_email, refusal
from tests.support.cells import Cells

DENIED = grpc.StatusCode.PERMISSION_DENIED
EVERYTHING = sorted(organization_permissions())
# What has rights of its own, by how requests name it.
THINGS = {
    *("api_key_id", "application_id", "webhook_id", "delivery_id", "replay_id"),
    *("invitation_id", "user_id"),
}
# What requests can give rights with.
GIVEN = {"scopes", "role", "event_types", "allow_key_import"}

# What each method answers a hand that holds its permission, but not all that the thing can do.
# What ends something comes last.
THROUGH = {
    "CreateApiKey": "SCOPE_NOT_GRANTABLE",
    "UpdateApiKey": "PERMISSIONS_EXCEEDED",
    "RotateApiKey": "PERMISSIONS_EXCEEDED",
    "CreateApplication": "SCOPE_NOT_GRANTABLE",
    "UpdateApplication": "PERMISSIONS_EXCEEDED",
    "RotateApplicationSecret": "PERMISSIONS_EXCEEDED",
    "UpdateRegistrationPolicy": "SCOPE_NOT_GRANTABLE",
    "CreateWebhook": "PERMISSIONS_EXCEEDED",
    "UpdateWebhook": "PERMISSIONS_EXCEEDED",
    "RotateWebhookSecret": "PERMISSIONS_EXCEEDED",
    "TestWebhook": "PERMISSIONS_EXCEEDED",
    "RedeliverDelivery": "PERMISSIONS_EXCEEDED",
    "RetryDelivery": "PERMISSIONS_EXCEEDED",
    "SkipDelivery": "PERMISSIONS_EXCEEDED",
    "GetDelivery": "PERMISSIONS_EXCEEDED",
    "CreateReplay": "PERMISSIONS_EXCEEDED",
    "CreateInvitation": "ROLE_NOT_GRANTABLE",
    "UpdateMember": "ROLE_NOT_GRANTABLE",
    # Only people say what is required of others.
    "UpdateMemberSecurityPolicy": "PERMISSION_DENIED",
    "RemoveMember": "ROLE_NOT_GRANTABLE",
    "UpdateOrganization": "ROLE_NOT_GRANTABLE",
    # They show what the permission to read shows, without a secret or a payload.
    "GetApiKey": "OK",
    # Of events that the caller may not read it says nothing.
    "PreviewFilter": "OK",
    "GetWebhook": "OK",
    "GetWebhookStatistics": "OK",
    "ListDeliveries": "OK",
    "ListReplays": "OK",
    "GetReplay": "OK",
    "GetApplication": "OK",
    "GetApplicationUsage": "OK",
    "ListApplicationLogouts": "OK",
    # Taking power away takes no power.
    "RevokeInvitation": "OK",
    "RevokeApiKey": "OK",
    "CancelReplay": "OK",
    "DeleteWebhook": "OK",
    "RevokeApplicationSecret": "OK",
    "DeleteApplication": "OK",
}
# Every role may read what any event shows.
HARMLESS_TO_PEOPLE = {
    name for name in THROUGH if any(one in name for one in ("Webhook", "Delivery", "Replay"))
}


@dataclass(frozen=True)
class Stronghold:
    """An organization of the owner with one of everything that can do everything."""

    world: World
    owner: Person
    ids: Mapping[str, str]

    def request(self, name: str) -> Any:
        """A request that takes or gives as much as there is."""
        values: dict[str, Any] = {
            "name": "Taken",
            "scopes": EVERYTHING,
            "email": new_email(),
            "role": "owner",
            "url": "https://example.com/theirs",
            "event_types": ["*"],
            "allow_key_import": True,
            "kind": "machine",
            "registration": "open",
            "status": "failed",
            **self.ids,
        }
        if name == "CreateReplay":
            # None stands for all that the webhook subscribes to.
            del values["event_types"]
        message = GUARDED[name].request
        wanted = set(message.DESCRIPTOR.fields_by_name) & set(values)
        return message(**{field: values[field] for field in wanted})

    async def outcome(self, name: str, metadata: Any) -> str:
        """The reason with which a method is refused, or "OK"."""
        method = GUARDED[name]
        call = self.world.channel.unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )
        try:
            await call(self.request(name), metadata=metadata)
        except aio.AioRpcError as error:
            return refusal(error).reason
        return "OK"


@pytest.fixture
async def stronghold(world: World, owner: Person) -> Stronghold:
    """Made by the owner."""
    return await build_stronghold(world, owner)


@pytest.fixture(scope="module")
async def untouched(world: World) -> Stronghold:
    """One for all the tests in which nothing of it is changed."""
    return await build_stronghold(world, await world.new_person())


async def build_stronghold(world: World, owner: Person) -> Stronghold:
    """An organization of the owner with one of everything that can do everything."""
    organization_id = await world.new_organization(owner)
    await world.new_member(organization_id, owner, "owner")
    other_owner = await world.new_member(organization_id, owner, "owner")
    key = await world.new_key(organization_id, owner, *EVERYTHING)
    webhook, busy = [
        await world.webhooks.CreateWebhook(
            webhooks.CreateWebhookRequest(
                organization_id=organization_id, url="https://example.com/hook", event_types=["*"]
            ),
            metadata=owner.metadata,
        )
        for _ in range(2)
    ]
    invitation = await world.organizations.CreateInvitation(
        organizations.CreateInvitationRequest(
            organization_id=organization_id, email=new_email(), role="owner"
        ),
        metadata=owner.metadata,
    )
    application = await ApplicationServiceStub(world.channel).CreateApplication(
        applications.CreateApplicationRequest(
            organization_id=organization_id, name="A program", kind="machine", scopes=EVERYTHING
        ),
        metadata=owner.metadata,
    )
    test = await world.webhooks.TestWebhook(
        webhooks.TestWebhookRequest(webhook_id=webhook.webhook.id), metadata=owner.metadata
    )
    replay = await ReplayServiceStub(world.channel).CreateReplay(
        replays.CreateReplayRequest(webhook_id=busy.webhook.id, status="failed"),
        metadata=owner.metadata,
    )
    async with world.engine.begin() as connection:
        # As if the worker had told of somebody who joined, and had given up.
        await connection.execute(
            text(
                "update deliveries set event_type = 'member.added', status = 'failed',"
                " next_attempt_at = null where id = :id"
            ),
            {"id": test.delivery.id},
        )
    return Stronghold(
        world,
        owner,
        {
            "organization_id": organization_id,
            "user_id": other_owner.id,
            "api_key_id": key.api_key.id,
            "application_id": application.application.id,
            "secret_id": application.application.secrets[0].id,
            "webhook_id": webhook.webhook.id,
            "delivery_id": test.delivery.id,
            "replay_id": replay.replay.id,
            "invitation_id": invitation.invitation.id,
        },
    )


def test_the_table_names_every_method_that_acts_through_a_thing_or_gives_rights() -> None:
    fields = {name: set(m.request.DESCRIPTOR.fields_by_name) for name, m in GUARDED.items()}
    assert set(THROUGH) == {name for name in fields if fields[name] & (THINGS | GIVEN)}


@pytest.mark.parametrize("role", ["admin", "member", "viewer"])
async def test_no_weaker_role_acts_through_what_an_owner_has(
    stronghold: Stronghold, role: str
) -> None:
    world = stronghold.world
    person = await world.new_member(stronghold.ids["organization_id"], stronghold.owner, role)
    found = {name: await stronghold.outcome(name, person.metadata) for name in THROUGH}
    expected = {
        name: "PERMISSION_DENIED"
        if GUARDED[name].permission not in ROLES[role]
        else "OK"
        if name in HARMLESS_TO_PEOPLE
        else reason
        for name, reason in THROUGH.items()
    }
    assert found == expected


async def test_no_weaker_key_acts_through_what_a_stronger_one_may(stronghold: Stronghold) -> None:
    """Each method is called with a key that holds the permission of this method alone."""
    organization_id, world = stronghold.ids["organization_id"], stronghold.world
    found = {}
    for name in THROUGH:
        scope = GUARDED[name].permission
        weak = await world.new_key(organization_id, stronghold.owner, scope)
        found[name] = await stronghold.outcome(name, await world.key_metadata(weak.secret))
    assert found == THROUGH


@pytest.mark.parametrize("missing", EVERYTHING)
async def test_one_missing_permission_is_enough_to_be_refused_and_is_named(
    untouched: Stronghold, missing: str, refused: Refused
) -> None:
    if missing == "keys:write":
        return  # without it nobody gets that far
    organization_id, world = untouched.ids["organization_id"], untouched.world
    scopes = [scope for scope in EVERYTHING if scope != missing]
    weak = await world.new_key(organization_id, untouched.owner, *scopes)
    request = keys.RotateApiKeyRequest(api_key_id=untouched.ids["api_key_id"])
    metadata = await world.key_metadata(weak.secret)
    attempt = world.keys.RotateApiKey(request, metadata=metadata)
    found = await refused(attempt, DENIED, "PERMISSIONS_EXCEEDED")
    assert found.metadata == {"permissions": missing}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Mine"},
        {"scopes": ["keys:read"]},
        {"allowed_cidrs": ["0.0.0.0/0"]},
        {"limits": {"per_minute": 1}},
        {"expires_at": {"seconds": 4_000_000_000}},
        {},
    ],
)
async def test_a_member_changes_nothing_of_the_key_of_an_owner(
    untouched: Stronghold, change: dict[str, Any], refused: Refused
) -> None:
    world, key_id = untouched.world, untouched.ids["api_key_id"]
    member = await world.new_member(untouched.ids["organization_id"], untouched.owner, "member")
    request = keys.UpdateApiKeyRequest(api_key_id=key_id, **change)
    attempt = world.keys.UpdateApiKey(request, metadata=member.metadata)
    await refused(attempt, DENIED, "PERMISSIONS_EXCEEDED")
    get = keys.GetApiKeyRequest(api_key_id=key_id)
    key = (await world.keys.GetApiKey(get, metadata=member.metadata)).api_key
    assert (key.name, list(key.scopes)) == ("a key", EVERYTHING)


async def test_what_holds_no_more_than_oneself_is_changed_as_before(
    stronghold: Stronghold,
) -> None:
    world, organization_id = stronghold.world, stronghold.ids["organization_id"]
    member = await world.new_member(organization_id, stronghold.owner, "member")
    key = await world.new_key(organization_id, stronghold.owner, "keys:read", "webhooks:write")
    rotated = await world.keys.RotateApiKey(
        keys.RotateApiKeyRequest(api_key_id=key.api_key.id), metadata=member.metadata
    )
    assert rotated.secret != key.secret


async def test_to_hear_of_an_event_takes_the_permission_to_read_what_it_shows(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    reading = {"organization:read", "members:read", "keys:read", "webhooks:read"}
    writing = "webhooks:write"

    async def key(*permissions: str) -> tuple[tuple[str, str], ...]:
        made = await world.new_key(organization_id, owner, writing, *permissions)
        return await world.key_metadata(made.secret)

    needs = set(event_permissions().values())
    blind = {needed: await key(*(reading - {needed})) for needed in needs}
    seeing = {needed: await key(needed) for needed in needs}
    cells = Cells()
    for event, needed in sorted(event_permissions().items()):
        with cells.cell(event):
            request = webhooks.CreateWebhookRequest(
                organization_id=organization_id, url="https://example.com/hook", event_types=[event]
            )
            attempt = world.webhooks.CreateWebhook(request, metadata=blind[needed])
            found = await refused(attempt, DENIED, "PERMISSIONS_EXCEEDED")
            assert found.metadata == {"permissions": needed}
            answer = await world.webhooks.CreateWebhook(request, metadata=seeing[needed])
            webhook_id = answer.webhook.id
            elsewhere = webhooks.UpdateWebhookRequest(
                webhook_id=webhook_id, url="https://example.org/"
            )
            change = world.webhooks.UpdateWebhook(elsewhere, metadata=blind[needed])
            await refused(change, DENIED, "PERMISSIONS_EXCEEDED")
            wider = webhooks.UpdateWebhookRequest(webhook_id=webhook_id, event_types=["*"])
            change = world.webhooks.UpdateWebhook(wider, metadata=seeing[needed])
            await refused(change, DENIED, "PERMISSIONS_EXCEEDED")
            # An organization has room for a few only.
            await world.webhooks.DeleteWebhook(
                webhooks.DeleteWebhookRequest(webhook_id=webhook_id), metadata=owner.metadata
            )
    cells.hold()


def test_every_event_of_an_organization_has_a_permission_that_every_role_holds() -> None:
    assert set(event_permissions().values()) <= ROLES["viewer"]


async def test_the_catalog_says_what_each_event_type_takes(world: World) -> None:
    answer = await world.webhooks.ListEventTypes(webhooks.ListEventTypesRequest())
    shown = {one.name: (one.permission, one.platform_permission) for one in answer.event_types}
    ours = {name: (needed, "") for name, needed in event_permissions().items()}
    theirs = {name: ("", needed) for name, needed in platform_event_permissions().items()}
    other_names = {other: theirs[name] for other, name in ALIASES.items()}
    assert shown == {**ours, **theirs, **other_names}
