"""What a token says to whom it concerns, and how it ends when its application asks for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest

from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.conftest import Audited, Refused
from tests.core.oauth.conftest import App, claims, get_organization, new_app, public
from tests.core.world import Person, World

INVALID = grpc.StatusCode.INVALID_ARGUMENT
ALL = "openid profile email offline_access projects:read organization:read"


async def test_an_application_learns_what_its_token_says(
    owner: Person, app: App, organization_id: str
) -> None:
    token = (await app.signed_in(owner)).access_token
    told, said = await app.introspect(token), claims(token)
    assert (told.active, told.scope, told.token_type) == (True, "openid projects:read", "Bearer")
    assert (told.client_id, told.sub, told.org) == (app.client_id, owner.id, organization_id)
    assert (told.iss, told.aud, told.jti) == (ISSUER, ISSUER, said["jti"])
    assert (told.iat, told.exp, told.auth_time) == (said["iat"], said["exp"], said["auth_time"])
    assert (told.acr, list(told.amr)) == ("urn:portico:aal1", ["pwd"])


async def test_an_application_learns_whether_its_refresh_token_is_good(
    owner: Person, app: App
) -> None:
    first = await app.signed_in(owner)
    told = await app.introspect(first.refresh_token, token_type_hint="access_token")
    assert (told.active, told.client_id, told.token_type) == (True, app.client_id, "")
    second = await app.refresh(first.refresh_token)
    await app.refresh(second.refresh_token)
    # To ask about it is no use of it.
    assert not (await app.introspect(first.refresh_token)).active
    assert (await app.introspect(second.refresh_token)).active


async def test_a_token_for_the_organization_of_an_application_concerns_it(
    application_client: ApplicationClient, owner: Person, app: App, machine: App
) -> None:
    """It is a server of theirs that was given the token."""
    issued = await app.signed_in(owner)
    assert (await machine.introspect(issued.access_token)).active
    # Whoever is given a refresh token has no business with it.
    assert not (await machine.introspect(issued.refresh_token)).active


async def test_to_all_others_a_token_is_not_active(
    world: World, owner: Person, app: App, stranger: Person
) -> None:
    elsewhere = await world.new_organization(stranger)
    other = await new_app(ApplicationClient(world, elsewhere, stranger))
    issued = await app.signed_in(owner)
    for token in (issued.access_token, issued.refresh_token):
        told = await other.introspect(token)
        assert (told.active, told.sub, told.scope) == (False, "", "")


@pytest.mark.parametrize("token", ["x", "a.b.c", "é", "A" * 71])
async def test_what_is_no_token_is_not_active(app: App, token: str) -> None:
    assert not (await app.introspect(token)).active


async def test_what_is_no_token_of_an_application_is_not_active(owner: Person, app: App) -> None:
    issued = await app.signed_in(owner)
    for token in (owner.access_token, owner.refresh_token, issued.id_token):
        assert not (await app.introspect(token)).active


async def test_a_token_whose_time_is_over_is_not_active(
    world: World, owner: Person, app: App
) -> None:
    issued = await app.signed_in(owner)
    with world.clock.later(timedelta(seconds=issued.expires_in + 1)):
        assert not (await app.introspect(issued.access_token)).active


async def test_who_has_no_credential_learns_nothing(
    application_client: ApplicationClient, owner: Person, app: App, refused: Refused
) -> None:
    spa = await new_app(application_client, "single_page")
    issued = await spa.signed_in(owner)
    for client in (spa, public(app)):
        attempt = client.introspect(issued.access_token)
        await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")


@pytest.mark.parametrize("presented", ["access_token", "refresh_token"])
async def test_a_revoked_token_ends_all_that_came_of_the_sign_in(
    world: World,
    owner: Person,
    app: App,
    organization_id: str,
    refused: Refused,
    audited: Audited,
    presented: str,
) -> None:
    issued = await app.signed_in(owner, scope=ALL)
    other = await app.signed_in(owner, scope=ALL)
    await app.revoke(getattr(issued, presented))
    attempt = get_organization(world, organization_id, issued.access_token)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    await refused(app.refresh(issued.refresh_token), INVALID, "OAUTH_INVALID_GRANT")
    assert await audited(str(claims(issued.access_token)["gid"])) == ["authorization.revoked"]
    # Another sign-in goes on, and the consent is remembered.
    assert await get_organization(world, organization_id, other.access_token)
    assert (await app.ask(owner)).next == "approve"


async def test_a_revocation_may_be_repeated_and_asks_about_nothing(owner: Person, app: App) -> None:
    issued = await app.signed_in(owner)
    for token in (issued.refresh_token, issued.refresh_token, issued.access_token, "x", "a.b.c"):
        await app.revoke(token, token_type_hint="made-up")


async def test_a_token_that_has_expired_still_ends_what_came_with_it(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    issued = await app.signed_in(owner)
    with world.clock.later(timedelta(minutes=30)):
        await app.revoke(issued.access_token)
        await refused(app.refresh(issued.refresh_token), INVALID, "OAUTH_INVALID_GRANT")


async def test_nobody_revokes_the_token_of_another_application(
    application_client: ApplicationClient, owner: Person, app: App, refused: Refused
) -> None:
    other = await new_app(application_client)
    issued = await app.signed_in(owner)
    for token in (issued.access_token, issued.refresh_token):
        await other.revoke(token)
    assert await app.is_active(issued.access_token)
    unproven = public(app).revoke(issued.access_token)
    await refused(unproven, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")


async def test_a_revocation_during_refreshes_is_the_last_word(owner: Person, app: App) -> None:
    issued = await app.signed_in(owner)
    answers = await asyncio.gather(
        *(app.refresh(issued.refresh_token) for _ in range(4)),
        app.revoke(issued.refresh_token),
        *(app.refresh(issued.refresh_token) for _ in range(4)),
        return_exceptions=True,
    )
    for answer in answers:
        if answer is not None and not isinstance(answer, BaseException):
            assert not await app.is_active(answer.access_token)


async def test_an_application_learns_of_a_person_what_its_scopes_say(
    owner: Person, app: App, refused: Refused
) -> None:
    told = await app.user_info((await app.signed_in(owner, scope="openid")).access_token)
    assert told.sub == owner.id
    assert [field.name for field, _ in told.ListFields()] == ["sub"]
    everything = await app.signed_in(owner, scope="openid profile email")
    told = await app.user_info(everything.access_token)
    assert (told.name, told.email, told.email_verified) == ("Ada", owner.email, True)
    assert told.updated_at
    without = await app.signed_in(owner, scope="profile")
    attempt = app.user_info(without.access_token)
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "OAUTH_INSUFFICIENT_SCOPE")


async def test_there_is_no_person_behind_a_machine(
    owner: Person, machine: App, refused: Refused
) -> None:
    tokens = [(await machine.issue("client_credentials")).access_token, owner.access_token, "x"]
    for token in tokens:
        attempt = machine.user_info(token)
        await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_TOKEN")
