"""Importing keys is full access to an organization: an owner has to allow it, and is informed."""

from __future__ import annotations

import grpc
import pytest
from portico.keys.v1 import api_key_service_pb2 as pb_keys
from portico.organizations.v1 import organization_service_pb2 as pb

from portico_contract import organization_permissions
from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyRing
from tests.core.keys.imported import Office, allow_import, described, foreign_secret
from tests.core.records import audit_entry
from tests.core.users.conftest import unknown_id
from tests.core.world import Person, World

DENIED = grpc.StatusCode.PERMISSION_DENIED
NOT_ALLOWED = "KEY_IMPORT_NOT_ALLOWED"


async def shown(world: World, person: Person, organization_id: str) -> bool:
    request = pb.GetOrganizationRequest(organization_id=organization_id)
    answer = await world.organizations.GetOrganization(request, metadata=person.metadata)
    return answer.organization.allow_key_import


@pytest.fixture
async def closed(ring: KeyRing, administrator: Person) -> Office:
    """An administrator before an organization whose owner has allowed nothing."""
    return Office(ring.world, ring.organization_id, administrator)


async def test_unless_an_owner_allows_it_nothing_is_imported(
    closed: Office, ring: KeyRing, world: World, refused: Refused
) -> None:
    assert not await shown(world, ring.owner, ring.organization_id)
    secret = foreign_secret()
    await refused(closed.bring(described(secret)), DENIED, NOT_ALLOWED)
    await refused(ring.verify(secret), grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")
    await allow_import(world, ring.owner, ring.organization_id)
    assert await shown(world, ring.owner, ring.organization_id)
    assert await closed.bring_one(secret)


async def test_what_is_no_longer_allowed_is_refused(
    office: Office, ring: KeyRing, world: World, refused: Refused
) -> None:
    await office.bring_one(foreign_secret())
    await allow_import(world, ring.owner, ring.organization_id, allowed=False)
    await refused(office.bring(described(foreign_secret())), DENIED, NOT_ALLOWED)


async def test_a_repetition_of_what_is_no_longer_allowed_is_refused(
    office: Office, ring: KeyRing, world: World, refused: Refused
) -> None:
    request = pb_keys.ImportApiKeysRequest(
        organization_id=ring.organization_id, keys=[described(foreign_secret())]
    )
    metadata = (*office.administrator.metadata, ("idempotency-key", "import"))
    first = await world.keys.ImportApiKeys(request, metadata=metadata)
    assert await world.keys.ImportApiKeys(request, metadata=metadata) == first
    await allow_import(world, ring.owner, ring.organization_id, allowed=False)
    await refused(world.keys.ImportApiKeys(request, metadata=metadata), DENIED, NOT_ALLOWED)
    await allow_import(world, ring.owner, ring.organization_id)
    assert await world.keys.ImportApiKeys(request, metadata=metadata) == first


async def test_another_change_of_the_organization_allows_nothing(
    closed: Office, ring: KeyRing, world: World, refused: Refused
) -> None:
    request = pb.UpdateOrganizationRequest(organization_id=ring.organization_id, name="Renamed")
    await world.organizations.UpdateOrganization(request, metadata=ring.owner.metadata)
    await refused(closed.bring(described(foreign_secret())), DENIED, NOT_ALLOWED)


async def test_an_admin_does_not_allow_it_and_may_end_it(
    office: Office, ring: KeyRing, world: World, refused: Refused
) -> None:
    admin = await world.new_member(ring.organization_id, ring.owner, "admin")
    await allow_import(world, admin, ring.organization_id, allowed=False)
    attempt = allow_import(world, admin, ring.organization_id)
    await refused(attempt, DENIED, "ROLE_NOT_GRANTABLE")
    await refused(office.bring(described(foreign_secret())), DENIED, NOT_ALLOWED)


async def test_a_key_allows_it_only_if_it_may_do_all_that_an_owner_may(
    ring: KeyRing, world: World, refused: Refused
) -> None:
    everything = sorted(organization_permissions())
    request = pb.UpdateOrganizationRequest(
        organization_id=ring.organization_id, allow_key_import=True
    )
    for missing in set(everything) - {"organization:write"}:
        key = await ring.create(*(scope for scope in everything if scope != missing))
        metadata = await world.key_metadata(key.secret)
        attempt = world.organizations.UpdateOrganization(request, metadata=metadata)
        await refused(attempt, DENIED, "ROLE_NOT_GRANTABLE")
    key = await ring.create(*everything)
    metadata = await world.key_metadata(key.secret)
    answer = await world.organizations.UpdateOrganization(request, metadata=metadata)
    assert answer.organization.allow_key_import


async def test_that_it_was_allowed_is_in_the_audit_log(
    office: Office, ring: KeyRing, world: World
) -> None:
    entry = await audit_entry(world, ring.organization_id, "organization.updated")
    assert (str(entry.actor_id), entry.details["allowKeyImport"]) == (ring.owner.id, True)


async def test_every_owner_is_informed_by_mail(office: Office, ring: KeyRing, world: World) -> None:
    second = await world.new_member(ring.organization_id, ring.owner, "owner")
    admin = await world.new_member(ring.organization_id, ring.owner, "admin")
    await office.bring(*(described(foreign_secret()) for _ in range(3)))
    for informed in (ring.owner, second):
        (mail,) = await world.mails(informed.email, "keys_imported")
        assert (mail["display_name"], mail["key_count"]) == ("Ada", "3")
        assert mail["organization_name"].startswith("Tenant")
    assert await world.mails(admin.email, "keys_imported") == []


async def test_what_does_not_exist_cannot_be_imported_into(
    closed: Office, refused: Refused
) -> None:
    attempt = closed.bring(described(foreign_secret()), organization_id=unknown_id())
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_an_import_at_the_moment_it_is_forbidden_is_before_or_after(
    office: Office, ring: KeyRing, world: World
) -> None:
    for _ in range(4):
        await allow_import(world, ring.owner, ring.organization_id)
        answers, reasons = await race(
            office.bring(described(foreign_secret())),
            allow_import(world, ring.owner, ring.organization_id, allowed=False),
        )
        assert reasons in ([], [NOT_ALLOWED])
        assert len(answers) == 2 - len(reasons)
        assert not await shown(world, ring.owner, ring.organization_id)
