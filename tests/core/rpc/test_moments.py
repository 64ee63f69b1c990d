"""A timestamp that no calendar has is the caller's error, wherever in a request it stands."""

from __future__ import annotations

import grpc
import pytest
from portico.events.v1 import event_service_pb2 as events
from portico.events.v1.event_service_pb2_grpc import EventServiceStub
from portico.keys.v1 import api_key_service_pb2 as keys

from tests.core.conftest import Refused
from tests.core.users.conftest import administrator as administrator
from tests.core.world import Person, World

NO_MOMENTS = [(10**17, 0), (-(10**17), 0), (2**62, 0), (0, 2 * 10**9)]


@pytest.mark.parametrize(("seconds", "nanos"), NO_MOMENTS)
async def test_what_is_no_moment_is_refused_by_its_name(
    world: World,
    owner: Person,
    organization_id: str,
    refused: Refused,
    seconds: int,
    nanos: int,
) -> None:
    creation = keys.CreateApiKeyRequest(
        organization_id=organization_id, name="key", scopes=["keys:read"]
    )
    creation.expires_at.seconds, creation.expires_at.nanos = seconds, nanos
    create = world.keys.CreateApiKey(creation, metadata=owner.metadata)
    listing = events.ListEventsRequest(organization_id=organization_id)
    listing.since.seconds, listing.since.nanos = seconds, nanos
    find = EventServiceStub(world.channel).ListEvents(listing, metadata=owner.metadata)
    for field, call in (("expires_at", create), ("since", find)):
        found = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert "TIMESTAMP" in found.reasons
        assert field in found.fields


async def test_it_is_named_by_its_place_in_a_list(
    world: World, administrator: Person, organization_id: str, refused: Refused
) -> None:
    request = keys.ImportApiKeysRequest(organization_id=organization_id)
    for seconds in (0, 2**62):
        key = request.keys.add(name="key", prefix="old_key_", sha256=bytes(32))
        key.scopes.append("keys:read")
        if seconds:
            key.expires_at.seconds = seconds
    call = world.keys.ImportApiKeys(request, metadata=administrator.metadata)
    found = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == (("keys[1].expires_at",), ("TIMESTAMP",))
