"""An application's refresh token is good until its successor has been used; then somebody has it.

Nobody honest is signed out: an answer that is lost is asked for again.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import grpc
import pytest

from tests.core.applications.conftest import ApplicationClient
from tests.core.conftest import Audited, Refused
from tests.core.oauth.conftest import App, claims, new_app, public
from tests.core.world import Person, World

INVALID = grpc.StatusCode.INVALID_ARGUMENT
OFFLINE = "openid offline_access projects:read organization:read"


async def test_a_refresh_token_gives_new_tokens_and_its_successor(owner: Person, app: App) -> None:
    first = await app.signed_in(owner)
    second = await app.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token
    assert second.scope == first.scope
    before, after = claims(first.id_token), claims(second.id_token)
    for name in ("iss", "sub", "aud", "auth_time", "sid", "nonce"):
        assert before[name] == after[name]


async def test_whoever_did_not_get_the_answer_asks_again(owner: Person, app: App) -> None:
    first = await app.signed_in(owner)
    lost = await app.refresh(first.refresh_token)
    again = await app.refresh(first.refresh_token)
    assert again.refresh_token == lost.refresh_token
    assert (await app.refresh(again.refresh_token)).access_token


async def test_those_who_refresh_at_once_get_the_same_successor(owner: Person, app: App) -> None:
    first = await app.signed_in(owner)
    answers = await asyncio.gather(*(app.refresh(first.refresh_token) for _ in range(8)))
    assert len({answer.refresh_token for answer in answers}) == 1


async def test_a_token_whose_successor_was_used_ends_the_family_and_the_person_hears_of_it(
    world: World, owner: Person, app: App, refused: Refused, audited: Audited
) -> None:
    first = await app.signed_in(owner, scope=OFFLINE)
    second = await app.refresh(first.refresh_token)
    third = await app.refresh(second.refresh_token)
    await refused(app.refresh(first.refresh_token), INVALID, "OAUTH_INVALID_GRANT")
    await refused(app.refresh(third.refresh_token), INVALID, "OAUTH_INVALID_GRANT")
    for each in (first, second, third):
        assert not await app.is_active(each.access_token)
    family = str(claims(first.access_token)["gid"])
    assert await audited(family) == ["authorization.refresh_token_reused"]
    mail = await world.mail(owner.email, "application_token_reused")
    assert mail["application_name"] == "an application"


async def test_one_stolen_family_ends_no_other(owner: Person, app: App, refused: Refused) -> None:
    stolen, other = await app.signed_in(owner), await app.signed_in(owner)
    second = await app.refresh(stolen.refresh_token)
    await app.refresh(second.refresh_token)
    await refused(app.refresh(stolen.refresh_token), INVALID, "OAUTH_INVALID_GRANT")
    assert (await app.refresh(other.refresh_token)).access_token


async def test_a_refresh_token_is_good_for_its_own_application_alone(
    application_client: ApplicationClient, owner: Person, app: App, refused: Refused
) -> None:
    other = await new_app(application_client)
    first = await app.signed_in(owner)
    second = await app.refresh(first.refresh_token)
    for token in (first.refresh_token, second.refresh_token):
        await refused(other.refresh(token), INVALID, "OAUTH_INVALID_GRANT")
    # It ended nothing either.
    assert (await app.refresh(second.refresh_token)).access_token


async def test_an_application_with_a_secret_has_to_show_it(
    owner: Person, app: App, refused: Refused
) -> None:
    first = await app.signed_in(owner)
    attempt = public(app).refresh(first.refresh_token)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")


async def test_an_access_token_can_be_narrowed_and_the_next_one_has_all(
    owner: Person, app: App
) -> None:
    first = await app.signed_in(owner, scope=OFFLINE)
    narrow = await app.refresh(first.refresh_token, scope="projects:read")
    assert (narrow.scope, narrow.id_token) == ("projects:read", "")
    whole = await app.refresh(narrow.refresh_token)
    assert whole.scope == first.scope


async def test_a_refresh_gives_no_more_than_the_person_gave(
    owner: Person, app: App, refused: Refused
) -> None:
    first = await app.signed_in(owner, scope="openid projects:read")
    attempt = app.refresh(first.refresh_token, scope="openid organization:read")
    await refused(attempt, INVALID, "OAUTH_INVALID_SCOPE")
    assert (await app.refresh(first.refresh_token)).access_token


async def test_a_refusal_for_its_scopes_moves_no_chain_on(
    owner: Person, app: App, refused: Refused
) -> None:
    first = await app.signed_in(owner, scope="openid projects:read")
    second = await app.refresh(first.refresh_token)
    for scope in ("openid organization:read", "no:scope", "openid projects:read x", " "):
        attempt = app.refresh(second.refresh_token, scope=scope)
        await refused(attempt, INVALID, "OAUTH_INVALID_SCOPE")
    # The successor counts as not used yet.
    assert (await app.refresh(first.refresh_token)).refresh_token == second.refresh_token


@pytest.mark.parametrize("place", [1, 10, 20, 21, 40, 52], ids=lambda place: f"byte {place}")
async def test_a_token_that_was_changed_is_refused_and_ends_nothing(
    owner: Person, app: App, refused: Refused, place: int
) -> None:
    first = await app.signed_in(owner)
    second = await app.refresh(first.refresh_token)
    for token in (first.refresh_token, second.refresh_token):
        changed = bytearray(base64.urlsafe_b64decode(token + "="))
        changed[place] ^= 1
        made_up = base64.urlsafe_b64encode(changed).decode().rstrip("=")
        await refused(app.refresh(made_up), INVALID, "OAUTH_INVALID_GRANT")
    assert (await app.refresh(second.refresh_token)).access_token


async def test_an_unknown_resource_is_refused(owner: Person, app: App, refused: Refused) -> None:
    first = await app.signed_in(owner)
    attempt = app.refresh(first.refresh_token, resource=["https://other.example"])
    await refused(attempt, INVALID, "OAUTH_INVALID_TARGET")


@pytest.mark.parametrize("made_up", ["x", "a" * 71, "é" * 10, "AAAA" * 250])
async def test_what_is_no_refresh_token_is_refused(
    app: App, refused: Refused, made_up: str
) -> None:
    await refused(app.refresh(made_up), INVALID, "OAUTH_INVALID_GRANT")


async def test_a_refresh_token_of_a_session_is_none_of_an_application(
    owner: Person, app: App, refused: Refused
) -> None:
    await refused(app.refresh(owner.refresh_token), INVALID, "OAUTH_INVALID_GRANT")


async def test_without_a_refresh_token_the_request_is_not_valid(app: App, refused: Refused) -> None:
    await refused(app.refresh(""), INVALID, "OAUTH_INVALID_REQUEST")


async def test_a_family_that_is_not_used_ends(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    first = await app.signed_in(owner, scope=OFFLINE)
    with world.clock.later(timedelta(days=29)):
        second = await app.refresh(first.refresh_token)
    with world.clock.later(timedelta(days=58)):
        third = await app.refresh(second.refresh_token)
    with world.clock.later(timedelta(days=58 + 31)):
        await refused(app.refresh(third.refresh_token), INVALID, "OAUTH_INVALID_GRANT")


async def test_an_application_without_the_grant_gets_no_refresh_token(
    application_client: ApplicationClient, owner: Person
) -> None:
    app = await new_app(
        application_client, grant_types=["authorization_code"], scopes=["openid", "projects:read"]
    )
    assert not (await app.signed_in(owner)).refresh_token
