"""A person signs in to an application: from the consent to the tokens, and what these are good for.

No code is good twice, whoever comes when, and what came of one that was used twice ends.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import grpc
import jwt
import pytest
from google.protobuf.json_format import MessageToDict
from portico.auth.v1 import auth_service_pb2 as auth
from portico.users.v1 import user_service_pb2 as users

from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.conftest import Audited, Refused
from tests.core.oauth.conftest import (
    App,
    claims,
    get_organization,
    list_grants,
    new_app,
    public,
)
from tests.core.world import Person, World, bearer

INVALID = grpc.StatusCode.INVALID_ARGUMENT
ALL = "openid profile email offline_access projects:read organization:read"


async def test_an_application_acts_for_a_person_in_their_organization(
    world: World, owner: Person, app: App, organization_id: str
) -> None:
    issued = await app.signed_in(owner, scope="openid organization:read")
    assert (issued.token_type, issued.scope) == ("Bearer", "openid organization:read")
    assert await get_organization(world, organization_id, issued.access_token)


async def test_it_does_nothing_beyond_its_scopes(
    world: World, owner: Person, app: App, organization_id: str, refused: Refused
) -> None:
    issued = await app.signed_in(owner, scope="openid projects:read")
    attempt = get_organization(world, organization_id, issued.access_token)
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_it_does_nothing_in_another_organization_of_the_person(
    world: World, owner: Person, app: App, organization_id: str, refused: Refused
) -> None:
    other = await world.new_organization(owner)
    request_id = await app.request_id(scope="openid organization:read")
    assert (await app.ask_again(owner, request_id)).next == "consent"
    response = await app.approve(owner, request_id, organization_id=organization_id)
    token = (await app.exchange(response["code"])).access_token
    assert await get_organization(world, organization_id, token)
    attempt = get_organization(world, other, token)
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_it_is_not_the_person(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    """What asks for a session is nothing for an application, whatever its scopes."""
    metadata = bearer((await app.signed_in(owner, scope=ALL)).access_token)
    denied = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    await refused(world.users.GetMe(users.GetMeRequest(), metadata=metadata), *denied)
    sessions = world.auth.ListSessions(auth.ListSessionsRequest(), metadata=metadata)
    await refused(sessions, *denied)


async def test_the_id_token_says_who_signed_in_and_how(
    world: World, owner: Person, app: App
) -> None:
    issued = await app.signed_in(owner)
    keys = await world.auth.GetJsonWebKeySet(auth.GetJsonWebKeySetRequest())
    published = jwt.PyJWKSet.from_dict(MessageToDict(keys))
    header = jwt.get_unverified_header(issued.id_token)
    assert (header["alg"], header["typ"]) == ("RS256", "JWT")
    said = jwt.decode(
        issued.id_token,
        published[header["kid"]],
        algorithms=["RS256"],
        audience=app.client_id,
        issuer=ISSUER,
    )
    assert (said["sub"], said["nonce"]) == (owner.id, "a nonce")
    assert (said["acr"], said["amr"]) == ("urn:portico:aal1", ["pwd"])
    assert {"auth_time", "sid", "iat", "exp", "at_hash"} <= set(said)
    assert not {"azp", "email", "name"} & set(said)


async def test_an_application_may_have_its_id_tokens_by_es256(
    application_client: ApplicationClient, owner: Person
) -> None:
    app = await new_app(application_client, id_token_signed_response_alg="ES256")
    issued = await app.signed_in(owner)
    assert jwt.get_unverified_header(issued.id_token)["alg"] == "ES256"


async def test_an_id_token_is_no_access_token(
    world: World, owner: Person, app: App, organization_id: str, refused: Refused
) -> None:
    issued = await app.signed_in(owner, scope="openid organization:read")
    attempt = get_organization(world, organization_id, issued.id_token)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    await refused(
        app.user_info(issued.id_token), grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_TOKEN"
    )


async def test_without_openid_there_is_no_id_token(owner: Person, app: App) -> None:
    issued = await app.signed_in(owner, scope="projects:read")
    assert not issued.id_token
    assert issued.refresh_token


async def test_claims_that_are_asked_for_by_name_are_in_the_id_token(
    owner: Person, app: App
) -> None:
    asked = '{"id_token": {"email": {"essential": true}}, "userinfo": {"name": null}}'
    issued = await app.signed_in(owner, claims=asked)
    said = claims(issued.id_token)
    assert said["email"] == owner.email
    assert "name" not in said
    # What is asked for by its name is given as its scope is.
    assert set(issued.scope.split()) >= {"email", "profile"}
    assert (await app.user_info(issued.access_token)).name == "Ada"


async def test_a_code_is_good_once(owner: Person, app: App, refused: Refused) -> None:
    code = await app.code(owner)
    await app.exchange(code)
    await refused(app.exchange(code), INVALID, "OAUTH_INVALID_GRANT")


async def test_a_code_that_is_used_twice_ends_all_that_it_gave(
    owner: Person, app: App, refused: Refused, audited: Audited
) -> None:
    code = await app.code(owner)
    issued = await app.exchange(code)
    refreshed = await app.refresh(issued.refresh_token)
    await refused(app.exchange(code), INVALID, "OAUTH_INVALID_GRANT")
    for token in (issued.access_token, refreshed.access_token, refreshed.refresh_token):
        assert not await app.is_active(token)
    await refused(app.refresh(refreshed.refresh_token), INVALID, "OAUTH_INVALID_GRANT")
    family = str(claims(issued.access_token)["gid"])
    assert await audited(family) == ["authorization.code_reused"]
    # The person's consent is not taken back by that.
    assert (await app.ask(owner)).next == "approve"


async def test_a_code_that_is_used_again_after_its_time_ends_all_that_it_gave(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    code = await app.code(owner)
    issued = await app.exchange(code)
    with world.clock.later(timedelta(minutes=10)):
        await refused(app.exchange(code), INVALID, "OAUTH_INVALID_GRANT")
        assert not await app.is_active(issued.access_token)


async def test_of_many_who_use_a_code_at_once_one_gets_tokens(owner: Person, app: App) -> None:
    code = await app.code(owner)
    attempts = await asyncio.gather(*(app.exchange(code) for _ in range(8)), return_exceptions=True)
    issued = [each for each in attempts if not isinstance(each, BaseException)]
    assert len(issued) == 1
    assert not await app.is_active(issued[0].access_token)


async def test_a_code_is_good_for_a_minute(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    early, late = await app.code(owner), await app.code(owner)
    with world.clock.later(timedelta(seconds=59)):
        await app.exchange(early)
    with world.clock.later(timedelta(seconds=61)):
        await refused(app.exchange(late), INVALID, "OAUTH_INVALID_GRANT")


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": "another-verifier-of-at-least-forty-three-characters"},
        {"code_verifier": "short"},
        {"redirect_uri": "https://app.example.com/callback/"},
        {"redirect_uri": "https://attacker.example/callback"},
    ],
    ids=["verifier", "short verifier", "redirect", "other redirect"],
)
async def test_a_code_is_bound_to_its_verifier_and_its_address(
    owner: Person, app: App, refused: Refused, wrong: dict[str, str]
) -> None:
    code = await app.code(owner)
    await refused(app.exchange(code, **wrong), INVALID, "OAUTH_INVALID_GRANT")
    # Whoever guesses takes nothing from the application.
    assert (await app.exchange(code)).access_token


async def test_a_code_needs_its_verifier(owner: Person, app: App, refused: Refused) -> None:
    attempt = app.exchange(await app.code(owner), code_verifier="")
    await refused(attempt, INVALID, "OAUTH_INVALID_REQUEST")


async def test_a_code_is_good_without_the_address_as_oauth_2_1_has_it(
    owner: Person, app: App
) -> None:
    assert (await app.exchange(await app.code(owner), redirect_uri="")).access_token


async def test_a_code_is_good_for_its_own_application_alone(
    application_client: ApplicationClient, owner: Person, app: App, refused: Refused
) -> None:
    other = await new_app(application_client)
    code = await app.code(owner)
    await refused(other.exchange(code), INVALID, "OAUTH_INVALID_GRANT")
    issued = await app.exchange(code)
    # Nor does it end what the code gave.
    await refused(other.exchange(code), INVALID, "OAUTH_INVALID_GRANT")
    assert await app.is_active(issued.access_token)


async def test_an_application_with_a_secret_has_to_show_it(
    owner: Person, app: App, refused: Refused
) -> None:
    code = await app.code(owner)
    attempt = public(app).exchange(code)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")
    attempt = replace(app, secret="wrong").exchange(code)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")
    assert (await app.exchange(code)).access_token


async def test_a_request_that_is_approved_twice_has_one_good_code(
    owner: Person, app: App, refused: Refused
) -> None:
    request_id = await app.request_id()
    first = await app.approve(owner, request_id)
    second = await app.approve(owner, request_id)
    await refused(app.exchange(first["code"]), INVALID, "OAUTH_INVALID_GRANT")
    assert (await app.exchange(second["code"])).access_token


async def test_a_double_submit_makes_one_grant_and_one_good_code(
    world: World, owner: Person, app: App
) -> None:
    request_id = await app.request_id()
    responses = await asyncio.gather(*(app.approve(owner, request_id) for _ in range(4)))
    attempts = await asyncio.gather(
        *(app.exchange(each["code"]) for each in responses), return_exceptions=True
    )
    assert len([each for each in attempts if not isinstance(each, BaseException)]) == 1
    assert len(await list_grants(world, owner)) == 1


async def test_a_person_can_give_less_than_is_asked_for(owner: Person, app: App) -> None:
    request_id = await app.request_id(scope="openid projects:read organization:read")
    response = await app.approve(owner, request_id, scopes=["openid", "projects:read"])
    issued = await app.exchange(response["code"])
    assert issued.scope == "openid projects:read"


async def test_a_person_cannot_be_made_to_give_more_than_is_asked_for(
    owner: Person, app: App, refused: Refused
) -> None:
    request_id = await app.request_id(scope="openid")
    attempt = app.approve(owner, request_id, scopes=["openid", "projects:read"])
    await refused(attempt, INVALID, "VALIDATION_ERROR")


async def test_a_member_gives_no_more_than_their_role_allows(
    world: World, owner: Person, organization_id: str, application_client: ApplicationClient
) -> None:
    app = await new_app(application_client, scopes=["openid", "projects:read", "keys:write"])
    viewer = await world.new_member(organization_id, owner, "viewer")
    issued = await app.signed_in(viewer, scope="openid projects:read keys:write")
    assert issued.scope == "openid projects:read"
