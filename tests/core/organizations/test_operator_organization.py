"""The organization that the operator names: without it, people's events are in the audit log."""

from __future__ import annotations

from uuid import UUID

import grpc
import pytest
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.webhooks.v1 import webhook_service_pb2 as webhooks

from portico_kit.ids import new_id
from portico_kit.storage.reads import Reads
from server.app import ROLES
from server.features.organizations.facade import Tenants
from server.features.organizations.operator import OperatorOrganization
from tests.core.auth.conftest import claims
from tests.core.conftest import ENGINES, Audited, Refused, running
from tests.core.operator import types_about
from tests.core.users.conftest import administrator as administrator
from tests.core.world import Person, World


async def test_without_one_nothing_is_recorded_but_the_audit_log(
    world: World, owner: Person, audited: Audited
) -> None:
    assert await types_about(world, owner.id) == []
    assert await audited(str(claims(owner.access_token)["sid"])) == ["login.succeeded"]


async def test_without_one_nobody_can_subscribe(
    world: World, administrator: Person, refused: Refused
) -> None:
    request = webhooks.CreateWebhookRequest(
        organization_id=await world.new_organization(administrator),
        url="https://example.com/hook",
        event_types=["user.created"],
    )
    attempt = world.webhooks.CreateWebhook(request, metadata=administrator.metadata)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.reasons == ("EVENT_TYPE_OF_OPERATOR",)


async def delete(world: World, owner: Person, organization_id: str) -> None:
    request = organizations.DeleteOrganizationRequest(organization_id=organization_id)
    await world.organizations.DeleteOrganization(request, metadata=owner.metadata)


@pytest.mark.parametrize("named", ["deleted", "unknown"])
async def test_a_core_starts_with_one_that_is_not_there(
    world: World,
    owner: Person,
    organization_id: str,
    named: str,
    database_url: str,
    valkey_url: str,
) -> None:
    await delete(world, owner, organization_id)
    operator = UUID(organization_id) if named == "deleted" else new_id()
    async with running(
        ENGINES[0], database_url, valkey_url, operator_organization=operator
    ) as other:
        person = await other.new_person()
        assert await types_about(other, person.id) == []


async def test_one_that_is_deleted_while_the_core_runs_is_noticed(
    world: World, owner: Person, organization_id: str, database_url: str
) -> None:
    named, reads = UUID(organization_id), Reads(database_url)
    operator = OperatorOrganization(world.engine, Tenants(reads, ROLES), named)
    assert operator.current() is None
    await operator.refresh()
    assert operator.current() == named
    await delete(world, owner, organization_id)
    await operator.refresh()
    assert operator.current() is None
    await reads.close()
