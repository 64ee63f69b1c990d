"""An application acts for itself, in the organization that owns it, and within its scopes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import jwt
import pytest
from sqlalchemy import text

from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.conftest import Refused
from tests.core.oauth.conftest import App, claims, get_organization, new_app, public
from tests.core.world import World

CLIENT_CREDENTIALS = "client_credentials"


async def test_an_application_calls_the_api_for_itself(
    world: World, machine: App, organization_id: str
) -> None:
    issued = await machine.issue(CLIENT_CREDENTIALS)
    assert (issued.token_type, issued.scope) == ("Bearer", "organization:read")
    assert (issued.refresh_token, issued.id_token) == ("", "")
    assert await get_organization(world, organization_id, issued.access_token)


async def test_its_token_says_what_rfc_9068_asks_for(machine: App, organization_id: str) -> None:
    token = (await machine.issue(CLIENT_CREDENTIALS)).access_token
    said, header = claims(token), jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    assert (said["iss"], said["aud"]) == (ISSUER, ISSUER)
    assert said["sub"] == said["client_id"] == machine.client_id
    assert (said["scope"], said["org"]) == ("organization:read", organization_id)
    assert said["exp"] - said["iat"] in range(300, 902)
    assert said["jti"]


async def test_nothing_is_stored_of_it(world: World, machine: App) -> None:
    async def rows() -> int:
        async with world.engine.connect() as db:
            query = text("select count(*) from oauth_authorizations")
            return int((await db.execute(query)).scalar_one())

    before = await rows()
    await asyncio.gather(*(machine.issue(CLIENT_CREDENTIALS) for _ in range(20)))
    assert await rows() == before


async def test_it_can_ask_for_less_and_not_for_more(
    application_client: ApplicationClient, refused: Refused
) -> None:
    app = await new_app(
        application_client, "machine", scopes=["projects:read", "organization:read"]
    )
    assert (await app.issue(CLIENT_CREDENTIALS, scope="projects:read")).scope == "projects:read"
    for wider in (
        "keys:read",
        "projects:read keys:read",
        "openid",
        "offline_access",
        "made-up",
        " ",
    ):
        attempt = app.issue(CLIENT_CREDENTIALS, scope=wider)
        await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "OAUTH_INVALID_SCOPE")


async def test_its_token_is_good_in_no_other_organization(
    world: World, machine: App, refused: Refused
) -> None:
    person = await world.new_person()
    elsewhere = await world.new_organization(person)
    token = (await machine.issue(CLIENT_CREDENTIALS)).access_token
    attempt = get_organization(world, elsewhere, token)
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


@pytest.mark.parametrize("resource", [ISSUER, f"{ISSUER}/"])
async def test_the_resource_may_be_named(machine: App, resource: str) -> None:
    issued = await machine.issue(CLIENT_CREDENTIALS, resource=[resource])
    assert claims(issued.access_token)["aud"] == ISSUER


async def test_an_unknown_resource_is_refused(machine: App, refused: Refused) -> None:
    attempt = machine.issue(CLIENT_CREDENTIALS, resource=[ISSUER, "https://other.example"])
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "OAUTH_INVALID_TARGET")


async def test_without_its_secret_there_is_no_token(machine: App, refused: Refused) -> None:
    attempt = public(machine).issue(CLIENT_CREDENTIALS)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")


async def test_an_application_uses_only_the_grants_that_it_has(
    app: App, machine: App, refused: Refused
) -> None:
    attempts = [(app, CLIENT_CREDENTIALS), (machine, "authorization_code")]
    for client, grant_type in attempts:
        attempt = client.issue(grant_type, code="x", code_verifier="x")
        await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "OAUTH_UNAUTHORIZED_CLIENT")


@pytest.mark.parametrize(
    ("grant_type", "reason"),
    [
        ("", "OAUTH_INVALID_REQUEST"),
        ("password", "OAUTH_UNSUPPORTED_GRANT_TYPE"),
        ("implicit", "OAUTH_UNSUPPORTED_GRANT_TYPE"),
        ("Client_Credentials", "OAUTH_UNSUPPORTED_GRANT_TYPE"),
    ],
)
async def test_what_is_no_grant_type_is_refused_by_its_name(
    machine: App, refused: Refused, grant_type: str, reason: str
) -> None:
    attempt = machine.issue(grant_type)
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_a_token_of_a_secret_that_was_revoked_is_refused_at_the_next_call(
    world: World,
    application_client: ApplicationClient,
    machine: App,
    organization_id: str,
    refused: Refused,
) -> None:
    token = (await machine.issue(CLIENT_CREDENTIALS)).access_token
    await application_client.rotate(machine.client_id)
    await asyncio.sleep(0.3)
    attempt = get_organization(world, organization_id, token)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize("end", ["disable", "delete"])
async def test_a_token_of_an_application_that_is_gone_is_refused_at_the_next_call(
    world: World,
    application_client: ApplicationClient,
    machine: App,
    organization_id: str,
    refused: Refused,
    end: str,
) -> None:
    token = (await machine.issue(CLIENT_CREDENTIALS)).access_token
    if end == "disable":
        await application_client.update(machine.client_id, enabled=False)
    else:
        await application_client.delete(machine.client_id)
    await asyncio.sleep(0.3)
    attempt = get_organization(world, organization_id, token)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    asked = machine.issue(CLIENT_CREDENTIALS)
    await refused(asked, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")


async def test_a_scope_that_is_taken_from_the_application_is_taken_from_its_tokens(
    world: World,
    application_client: ApplicationClient,
    organization_id: str,
    refused: Refused,
) -> None:
    app = await new_app(
        application_client, "machine", scopes=["projects:read", "organization:read"]
    )
    token = (await app.issue(CLIENT_CREDENTIALS)).access_token
    await application_client.update(app.client_id, scopes=["projects:read"])
    await asyncio.sleep(0.3)
    attempt = get_organization(world, organization_id, token)
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_a_token_ends_with_its_time(
    world: World, machine: App, organization_id: str, refused: Refused
) -> None:
    issued = await machine.issue(CLIENT_CREDENTIALS)
    with world.clock.later(timedelta(seconds=issued.expires_in + 1)):
        attempt = get_organization(world, organization_id, issued.access_token)
        await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
