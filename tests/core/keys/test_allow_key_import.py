"""Importing keys is full access to an organization: an owner has to allow it, and is informed."""

from __future__ import annotations

import grpc
import pytest
from portico.keys.v1 import api_key_service_pb2 as pb_keys
from portico.organizations.v1 import organization_service_pb2 as pb

from portico_contract import organization_permissions
from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.keys.conftest import KeyClient
from tests.core.keys.imported import ImportClient, allow_import, described, foreign_secret
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
async def closed(key_client: KeyClient, administrator: Person) -> ImportClient:
    """An administrator before an organization whose owner has allowed nothing."""
    return ImportClient(key_client.world, key_client.organization_id, administrator)


async def test_unless_an_owner_allows_it_nothing_is_imported(
    closed: ImportClient, key_client: KeyClient, world: World, refused: Refused
) -> None:
    assert not await shown(world, key_client.owner, key_client.organization_id)
    secret = foreign_secret()
    await refused(closed.bring(described(secret)), DENIED, NOT_ALLOWED)
    await refused(key_client.verify(secret), grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")
    await allow_import(world, key_client.owner, key_client.organization_id)
    assert await shown(world, key_client.owner, key_client.organization_id)
    assert await closed.bring_one(secret)


async def test_what_is_no_longer_allowed_is_refused(
    import_client: ImportClient, key_client: KeyClient, world: World, refused: Refused
) -> None:
    await import_client.bring_one(foreign_secret())
    await allow_import(world, key_client.owner, key_client.organization_id, allowed=False)
    await refused(import_client.bring(described(foreign_secret())), DENIED, NOT_ALLOWED)


async def test_a_repetition_of_what_is_no_longer_allowed_is_refused(
    import_client: ImportClient, key_client: KeyClient, world: World, refused: Refused
) -> None:
    request = pb_keys.ImportApiKeysRequest(
        organization_id=key_client.organization_id, keys=[described(foreign_secret())]
    )
    metadata = (*import_client.administrator.metadata, ("idempotency-key", "import"))
    first = await world.keys.ImportApiKeys(request, metadata=metadata)
    assert await world.keys.ImportApiKeys(request, metadata=metadata) == first
    await allow_import(world, key_client.owner, key_client.organization_id, allowed=False)
    await refused(world.keys.ImportApiKeys(request, metadata=metadata), DENIED, NOT_ALLOWED)
    await allow_import(world, key_client.owner, key_client.organization_id)
    assert await world.keys.ImportApiKeys(request, metadata=metadata) == first


async def test_another_change_of_the_organization_allows_nothing(
    closed: ImportClient, key_client: KeyClient, world: World, refused: Refused
) -> None:
    request = pb.UpdateOrganizationRequest(
        organization_id=key_client.organization_id, name="Renamed"
    )
    await world.organizations.UpdateOrganization(request, metadata=key_client.owner.metadata)
    await refused(closed.bring(described(foreign_secret())), DENIED, NOT_ALLOWED)


async def test_an_admin_does_not_allow_it_and_may_end_it(
    import_client: ImportClient, key_client: KeyClient, world: World, refused: Refused
) -> None:
    admin = await world.new_member(key_client.organization_id, key_client.owner, "admin")
    await allow_import(world, admin, key_client.organization_id, allowed=False)
    attempt = allow_import(world, admin, key_client.organization_id)
    await refused(attempt, DENIED, "ROLE_NOT_GRANTABLE")
    await refused(import_client.bring(described(foreign_secret())), DENIED, NOT_ALLOWED)


async def test_a_key_allows_it_only_if_it_may_do_all_that_an_owner_may(
    key_client: KeyClient, world: World, refused: Refused
) -> None:
    everything = sorted(organization_permissions())
    request = pb.UpdateOrganizationRequest(
        organization_id=key_client.organization_id, allow_key_import=True
    )
    for missing in set(everything) - {"organization:write"}:
        key = await key_client.create(*(scope for scope in everything if scope != missing))
        metadata = await world.key_metadata(key.secret)
        attempt = world.organizations.UpdateOrganization(request, metadata=metadata)
        await refused(attempt, DENIED, "ROLE_NOT_GRANTABLE")
    key = await key_client.create(*everything)
    metadata = await world.key_metadata(key.secret)
    answer = await world.organizations.UpdateOrganization(request, metadata=metadata)
    assert answer.organization.allow_key_import


async def test_that_it_was_allowed_is_in_the_audit_log(
    import_client: ImportClient, key_client: KeyClient, world: World
) -> None:
    entry = await audit_entry(world, key_client.organization_id, "organization.updated")
    assert (str(entry.actor_id), entry.details["allowKeyImport"]) == (key_client.owner.id, True)


async def test_every_owner_is_informed_by_mail(
    import_client: ImportClient, key_client: KeyClient, world: World
) -> None:
    second = await world.new_member(key_client.organization_id, key_client.owner, "owner")
    admin = await world.new_member(key_client.organization_id, key_client.owner, "admin")
    await import_client.bring(*(described(foreign_secret()) for _ in range(3)))
    for informed in (key_client.owner, second):
        (mail,) = await world.mails(informed.email, "keys_imported")
        assert (mail["display_name"], mail["key_count"]) == ("Ada", "3")
        assert mail["organization_name"].startswith("Tenant")
    assert await world.mails(admin.email, "keys_imported") == []


async def test_what_does_not_exist_cannot_be_imported_into(
    closed: ImportClient, refused: Refused
) -> None:
    attempt = closed.bring(described(foreign_secret()), organization_id=unknown_id())
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_an_import_at_the_moment_it_is_forbidden_is_before_or_after(
    import_client: ImportClient, key_client: KeyClient, world: World
) -> None:
    for _ in range(4):
        await allow_import(world, key_client.owner, key_client.organization_id)
        answers, reasons = await race(
            import_client.bring(described(foreign_secret())),
            allow_import(world, key_client.owner, key_client.organization_id, allowed=False),
        )
        assert reasons in ([], [NOT_ALLOWED])
        assert len(answers) == 2 - len(reasons)
        assert not await shown(world, key_client.owner, key_client.organization_id)
