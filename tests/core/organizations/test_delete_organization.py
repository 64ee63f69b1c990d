"""Deleting an organization: it is gone for everyone at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import grpc
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.organizations.v1 import organization_service_pb2 as pb
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.edge_state.cache_invalidation import ORGANIZATIONS_CHANGED
from server.features.webhooks.delivery_queue import claim_due, find_due_webhooks
from server.features.webhooks.fanout import fan_out
from tests.core.calls import if_match
from tests.core.conftest import Refused
from tests.core.organizations.organization_fixture import make_organization_fixture
from tests.core.records import audit_entry
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer, new_email


async def delete(world: World, person: Person, organization_id: str) -> None:
    await world.organizations.DeleteOrganization(
        pb.DeleteOrganizationRequest(organization_id=organization_id), metadata=person.metadata
    )


async def test_afterwards_it_does_not_exist_for_anyone(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    viewer = await world.new_member(organization_id, owner, "viewer")
    await delete(world, owner, organization_id)
    for person in (owner, viewer):
        attempt = world.organizations.GetOrganization(
            pb.GetOrganizationRequest(organization_id=organization_id), metadata=person.metadata
        )
        await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    entry = await audit_entry(world, organization_id, "organization.deleted")
    assert str(entry.actor_id) == owner.id


async def test_its_keys_are_refused_at_once(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    key = await world.new_key(organization_id, owner)
    metadata = await world.key_metadata(key.secret)
    await delete(world, owner, organization_id)
    verified = world.keys.VerifyApiKey(
        keys.VerifyApiKeyRequest(secret=key.secret), metadata=bearer(INTERNAL_TOKEN)
    )
    await refused(verified, grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")
    # Nor does a token that the edge was given before open anything.
    used = world.organizations.GetOrganization(
        pb.GetOrganizationRequest(organization_id=organization_id), metadata=metadata
    )
    await refused(used, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_its_webhooks_are_silent(world: World, owner: Person) -> None:
    fixture = await make_organization_fixture(world, owner)
    organization_id, now = fixture.ids["organization_id"], world.clock()
    await delete(world, owner, organization_id)
    async with AsyncSession(world.engine) as db, db.begin():
        # What a worker finds: nothing new to send, and nothing to go on with.
        while (await fan_out(db, now, limit=1000)).count:
            pass
        until = now + timedelta(microseconds=1)
        webhook_id = UUID(fixture.ids["webhook_id"])
        assert await claim_due(db, {webhook_id: 10_000}, now=now, until=until) == []
        assert webhook_id not in {due.webhook_id for due in await find_due_webhooks(db, now)}


async def test_its_invitations_lead_nowhere(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    guest = await world.new_person()
    await world.organizations.CreateInvitation(
        pb.CreateInvitationRequest(
            organization_id=organization_id, email=guest.email, role="viewer"
        ),
        metadata=owner.metadata,
    )
    token = (await world.mail(guest.email, "invitation"))["token"]
    await delete(world, owner, organization_id)
    attempt = world.organizations.AcceptInvitation(
        pb.AcceptInvitationRequest(token=token), metadata=guest.metadata
    )
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "INVITATION_NOT_FOUND")


async def test_the_edge_is_told(
    world: World, owner: Person, organization_id: str, valkey_url: str
) -> None:
    async with Redis.from_url(valkey_url) as valkey, valkey.pubsub() as listener:
        await listener.subscribe(ORGANIZATIONS_CHANGED)
        await delete(world, owner, organization_id)
        async with asyncio.timeout(5):
            async for message in listener.listen():
                if message["type"] == "message":
                    break
    assert message["data"].decode() == organization_id


async def test_a_version_that_is_no_longer_the_newest_is_refused(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    request = pb.DeleteOrganizationRequest(organization_id=organization_id)
    attempt = world.organizations.DeleteOrganization(request, metadata=if_match(owner, '"7"'))
    await refused(attempt, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    await world.organizations.DeleteOrganization(request, metadata=if_match(owner, '"1"'))


async def test_nobody_can_be_invited_to_it(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    await delete(world, owner, organization_id)
    attempt = world.organizations.CreateInvitation(
        pb.CreateInvitationRequest(
            organization_id=organization_id, email=new_email(), role="viewer"
        ),
        metadata=owner.metadata,
    )
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
