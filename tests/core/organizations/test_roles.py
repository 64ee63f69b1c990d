"""The roles in the database agree with the rules, which decide."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import grpc
import pytest
from portico.organizations.v1 import organization_service_pb2 as pb
from sqlalchemy import Connection, create_engine, text

from portico_contract import organization_permissions
from portico_kit.start import StartError
from server.app import ROLES
from server.features.organizations.seed import sync_roles
from tests.core.conftest import Refused
from tests.core.world import Person, World
from tests.stack import PostgresServer


@pytest.fixture
def connection(postgres: PostgresServer) -> Iterator[Connection]:
    """A connection to a migrated database of its own."""
    with postgres.fresh_database() as url:
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
        with engine.connect() as connection:
            yield connection
        engine.dispose()


def stored(connection: Connection) -> set[str]:
    return set(connection.execute(text("select name from roles")).scalars())


def test_roles_allow_what_the_contract_asks_for_and_nothing_else() -> None:
    assert ROLES["owner"] == organization_permissions()
    assert all(held <= ROLES["owner"] for held in ROLES.values())


def test_after_the_migration_the_table_holds_the_roles_of_the_rules(connection: Connection) -> None:
    assert stored(connection) == set(ROLES)


def test_synchronizing_again_changes_nothing(connection: Connection) -> None:
    sync_roles(connection, ROLES)
    sync_roles(connection, ROLES)
    assert stored(connection) == set(ROLES)


def test_synchronizing_brings_the_table_back_to_the_rules(connection: Connection) -> None:
    connection.execute(text("delete from roles where name = 'viewer'"))
    connection.execute(text("insert into roles values ('emperor')"))
    sync_roles(connection, ROLES)
    assert stored(connection) == set(ROLES)


def hold(connection: Connection, role: str) -> None:
    """Somebody has a role, and somebody else is invited to it."""
    values = {"user": uuid4(), "organization": uuid4(), "id": uuid4(), "role": role}
    for statement in (
        "insert into users (id, email, status, role, version)"
        " values (:user, 'ada@example.com', 'active', 'user', 1)",
        "insert into organizations (id, name, slug, tier, version)"
        " values (:organization, 'Tenant', 'tenant', 'free', 1)",
        "insert into memberships (id, organization_id, user_id, role, version)"
        " values (:id, :organization, :user, :role, 1)",
        "insert into invitations"
        " (id, organization_id, email, role, token_hash, status, expires_at, version)"
        " values (:id, :organization, 'joan@example.com', :role, 'hash', 'pending', now(), 1)",
    ):
        connection.execute(text(statement), values)


def test_a_role_that_somebody_has_is_not_removed(connection: Connection) -> None:
    connection.execute(text("insert into roles values ('emperor')"))
    hold(connection, "emperor")
    with pytest.raises(StartError, match=r'"emperor".*members \(1\).*invitations \(1\)'):
        sync_roles(connection, ROLES)


def test_a_role_is_removed_once_a_revision_has_given_its_members_another_one(
    connection: Connection,
) -> None:
    connection.execute(text("insert into roles values ('emperor')"))
    hold(connection, "emperor")
    for table in ("memberships", "invitations"):
        connection.execute(text(f"update {table} set role = 'admin' where role = 'emperor'"))  # noqa: S608
    sync_roles(connection, ROLES)
    assert stored(connection) == set(ROLES)


@pytest.fixture
async def newcomer(world: World, owner: Person, organization_id: str) -> Person:
    """A member whose role is one that only a newer release knows."""
    member = await world.new_member(organization_id, owner, "member")
    async with world.engine.begin() as connection:
        await connection.execute(
            text("insert into roles values ('auditor') on conflict do nothing")
        )
        await connection.execute(
            text("update memberships set role = 'auditor' where user_id = :id"),
            {"id": UUID(member.id)},
        )
    return member


async def test_a_role_of_a_newer_release_allows_nothing_and_breaks_nothing(
    world: World, organization_id: str, newcomer: Person, refused: Refused
) -> None:
    own = await world.new_organization(newcomer)
    answer = await world.organizations.GetOrganization(
        pb.GetOrganizationRequest(organization_id=own), metadata=newcomer.metadata
    )
    assert answer.organization.id == own
    await refused(
        world.organizations.ListMembers(
            pb.ListMembersRequest(organization_id=organization_id), metadata=newcomer.metadata
        ),
        grpc.StatusCode.PERMISSION_DENIED,
        "PERMISSION_DENIED",
    )


async def test_nobody_takes_a_role_of_a_newer_release_from_a_member(
    world: World, owner: Person, organization_id: str, newcomer: Person, refused: Refused
) -> None:
    await refused(
        world.organizations.RemoveMember(
            pb.RemoveMemberRequest(organization_id=organization_id, user_id=newcomer.id),
            metadata=owner.metadata,
        ),
        grpc.StatusCode.PERMISSION_DENIED,
        "ROLE_NOT_GRANTABLE",
    )
    members = await world.organizations.ListMembers(
        pb.ListMembersRequest(organization_id=organization_id), metadata=owner.metadata
    )
    assert {member.role for member in members.members} == {"owner", "auditor"}
