"""SwitchOrganization: another organization of the person becomes the active one."""

from __future__ import annotations

import grpc
from portico.auth.v1 import auth_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import text

from tests.core.auth.conftest import claims
from tests.core.conftest import Refused
from tests.core.world import Person, World, bearer

NOT_FOUND = grpc.StatusCode.NOT_FOUND


def switch(organization_id: str) -> pb.SwitchOrganizationRequest:
    return pb.SwitchOrganizationRequest(organization_id=organization_id)


async def test_the_new_tokens_carry_the_organization_and_its_tier(
    world: World, owner: Person
) -> None:
    await world.new_organization(owner)
    second = await world.new_organization(owner)
    async with world.engine.begin() as connection:
        statement = text("update organizations set tier = 'pro' where id = :id")
        await connection.execute(statement, {"id": second})
    answer = await world.auth.SwitchOrganization(switch(second), metadata=owner.metadata)
    said = claims(answer.access_token)
    assert (said["org"], said["tier"]) == (second, "pro")
    assert said["sid"] == claims(owner.access_token)["sid"]
    me = await world.users.GetMe(users.GetMeRequest(), metadata=bearer(answer.access_token))
    assert me.user.id == owner.id


async def test_the_session_remembers_it(world: World, owner: Person) -> None:
    await world.new_organization(owner)
    second = await world.new_organization(owner)
    answer = await world.auth.SwitchOrganization(switch(second), metadata=owner.metadata)
    refreshed = await world.auth.RefreshToken(
        pb.RefreshTokenRequest(refresh_token=answer.refresh_token)
    )
    assert claims(refreshed.access_token)["org"] == second
    listed = await world.auth.ListSessions(pb.ListSessionsRequest(), metadata=owner.metadata)
    assert [session.organization_id for session in listed.sessions] == [second]


async def test_a_client_whose_answer_was_lost_goes_on_in_the_new_organization(
    world: World, owner: Person
) -> None:
    await world.new_organization(owner)
    second = await world.new_organization(owner)
    await world.auth.SwitchOrganization(switch(second), metadata=owner.metadata)
    refreshed = await world.auth.RefreshToken(
        pb.RefreshTokenRequest(refresh_token=owner.refresh_token)
    )
    assert claims(refreshed.access_token)["org"] == second


async def test_the_organization_of_others_does_not_exist(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    theirs = switch(await world.new_organization(stranger))
    attempt = world.auth.SwitchOrganization(theirs, metadata=owner.metadata)
    await refused(attempt, NOT_FOUND, "ORGANIZATION_NOT_FOUND")


async def test_what_is_no_id_is_refused(world: World, owner: Person, refused: Refused) -> None:
    attempt = world.auth.SwitchOrganization(switch("mine"), metadata=owner.metadata)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == ("organization_id",)
