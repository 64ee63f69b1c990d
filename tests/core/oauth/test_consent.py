"""Who is asked, and for what: consent is remembered, and only what is new is asked for."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1 import challenge_service_pb2 as challenges
from portico.oauth.v1 import authorization_service_pb2 as pb
from sqlalchemy import text

from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.conftest import Audited, Refused
from tests.core.oauth.conftest import App, claims, list_grants, new_app, said
from tests.core.world import PASSWORD, Person, World

NOT_READY = (grpc.StatusCode.FAILED_PRECONDITION, "AUTHORIZATION_NOT_READY")


async def test_the_first_time_the_person_is_asked(
    owner: Person, app: App, organization_id: str
) -> None:
    asked = await app.ask(owner, scope="openid email projects:read")
    assert asked.next == "consent"
    [organization] = asked.organizations
    assert (organization.id, list(organization.scopes)) == (organization_id, ["projects:read"])
    assert list(asked.personal_scopes) == ["openid", "email"]
    assert (list(asked.granted_scopes), list(asked.new_scopes)) == (
        [],
        ["openid", "email", "projects:read"],
    )


async def test_the_same_and_less_is_silent_and_more_is_asked_for(owner: Person, app: App) -> None:
    await app.signed_in(owner, scope="openid email projects:read")
    assert (await app.ask(owner, scope="openid email projects:read")).next == "approve"
    assert (await app.ask(owner, scope="openid")).next == "approve"
    wider = await app.ask(owner, scope="openid projects:read organization:read")
    assert (wider.next, list(wider.new_scopes)) == ("consent", ["organization:read"])


async def test_what_is_agreed_to_is_recorded(
    world: World, owner: Person, app: App, audited: Audited
) -> None:
    await app.signed_in(owner, scope="openid projects:read")
    await app.signed_in(owner, scope="openid projects:read")
    await app.signed_in(owner, scope="openid organization:read")
    [grant] = await list_grants(world, owner)
    assert await audited(grant.id) == ["grant.created", "grant.updated"]
    assert list(grant.scopes) == ["openid", "organization:read", "projects:read"]


async def test_an_application_can_have_the_person_asked_once_more(owner: Person, app: App) -> None:
    await app.signed_in(owner)
    for prompt in ("consent", "select_account", "login consent"):
        request_id = await app.request_id(prompt=prompt)
        expected = "sign_in" if "login" in prompt else "consent"
        assert (await app.ask_again(owner, request_id)).next == expected
    assert (await app.approve(owner, await app.request_id(prompt="consent")))["code"]


async def test_an_application_of_the_operator_needs_no_consent(
    world: World, owner: Person, app: App
) -> None:
    async with world.engine.begin() as db:
        statement = text("update applications set first_party = true where id = :id")
        await db.execute(statement, {"id": app.client_id})
    assert (await app.ask(owner)).next == "approve"
    await world.new_organization(owner)
    assert (await app.ask(owner)).next == "organization"


async def test_a_person_of_two_organizations_chooses_one(
    world: World, owner: Person, app: App, organization_id: str, refused: Refused
) -> None:
    await world.new_organization(owner)
    request_id = await app.request_id()
    asked = await app.ask_again(owner, request_id)
    assert (asked.next, len(asked.organizations)) == ("consent", 2)
    found = await refused(app.approve(owner, request_id), *NOT_READY)
    assert found.metadata["next"] == "organization"
    response = await app.approve(owner, request_id, organization_id=organization_id)
    issued = await app.exchange(response["code"])
    assert claims(issued.access_token)["org"] == organization_id
    # The next time it is the one that the person has let it into.
    assert (await app.ask(owner)).next == "approve"
    assert claims((await app.signed_in(owner)).access_token)["org"] == organization_id


async def test_an_organization_of_somebody_else_cannot_be_chosen(
    world: World, owner: Person, app: App, stranger: Person, refused: Refused
) -> None:
    elsewhere = await world.new_organization(stranger)
    attempt = app.approve(owner, await app.request_id(), organization_id=elsewhere)
    await refused(attempt, *NOT_READY)


async def test_who_may_do_none_of_it_lets_nobody_do_it(world: World, app: App) -> None:
    nobody = await world.new_person()
    asked = await app.ask(nobody, scope="projects:read")
    assert asked.next == "respond"
    assert said(asked.response) == {
        "error": "access_denied",
        "error_description": "the person may do none of it in any organization",
        "state": "a state",
        "iss": ISSUER,
    }


async def test_who_is_in_no_organization_can_still_sign_in(world: World, app: App) -> None:
    nobody = await world.new_person()
    issued = await app.signed_in(nobody, scope="openid projects:read")
    assert issued.scope == "openid"
    assert "org" not in claims(issued.access_token)


async def test_a_person_can_refuse(owner: Person, app: App) -> None:
    request = pb.DenyAuthorizationRequest(request_id=await app.request_id())
    answer = await app.authorizations.DenyAuthorization(request, metadata=owner.metadata)
    found = said(answer.response)
    assert (found["error"], found["state"], found["iss"]) == ("access_denied", "a state", ISSUER)


async def test_nobody_is_there_to_ask(app: App) -> None:
    request = pb.RefuseAuthorizationRequest(
        request_id=await app.request_id(prompt="none"), error="login_required"
    )
    answer = await app.authorizations.RefuseAuthorization(request)
    assert said(answer.response)["error"] == "login_required"


async def test_only_who_is_signed_in_approves(app: App, owner: Person, refused: Refused) -> None:
    request = pb.ApproveAuthorizationRequest(request_id=await app.request_id())
    attempt = app.authorizations.ApproveAuthorization(request)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_without_a_page_there_is_a_code_or_a_reason(
    world: World, owner: Person, app: App
) -> None:
    """OpenID Connect Core, section 3.1.2.6."""
    asked = await app.ask(owner, prompt="none")
    assert (asked.next, said(asked.response)["error"]) == ("respond", "consent_required")
    await app.signed_in(owner)
    assert (await app.ask(owner, prompt="none")).next == "approve"
    assert (await app.approve(owner, await app.request_id(prompt="none")))["code"]
    with world.clock.later(timedelta(minutes=5)):
        stale = await app.ask(owner, prompt="none", max_age="60")
    assert said(stale.response)["error"] == "login_required"


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "60"}])
async def test_a_person_signs_in_once_more_if_that_is_asked_for_and_then_goes_on(
    world: World, owner: Person, app: App, refused: Refused, changes: dict[str, str]
) -> None:
    await app.signed_in(owner)
    with world.clock.later(timedelta(minutes=5)):
        request_id = await app.request_id(**changes)
        assert (await app.ask_again(owner, request_id)).next == "sign_in"
        found = await refused(app.approve(owner, request_id), *NOT_READY)
        assert found.metadata["next"] == "sign_in"
        person = await world.sign_in(owner.email)
        assert (await app.ask_again(person, request_id)).next == "approve"
        issued = await app.exchange((await app.approve(person, request_id))["code"])
        assert claims(issued.id_token)["auth_time"] >= world.clock().timestamp() - 30


async def test_a_young_sign_in_is_young_enough(owner: Person, app: App) -> None:
    await app.signed_in(owner)
    assert (await app.ask(owner, max_age="10000")).next == "approve"


async def test_the_password_shown_in_a_step_up_is_a_sign_in_too(
    world: World, owner: Person, app: App
) -> None:
    await app.signed_in(owner)
    request_id = await app.request_id(prompt="login")
    begun = await world.challenges.BeginStepUp(
        challenges.BeginStepUpRequest(), metadata=owner.metadata
    )
    await world.challenges.CompleteChallenge(
        challenges.CompleteChallengeRequest(
            challenge=begun.challenge, method="password", password=PASSWORD
        )
    )
    assert (await app.ask_again(owner, request_id)).next == "approve"


async def test_a_level_that_the_person_cannot_reach_is_a_wish(owner: Person, app: App) -> None:
    await app.signed_in(owner)
    assert (await app.ask(owner, acr_values="urn:portico:aal2")).next == "approve"
    assert (await app.ask(owner, acr_values="made-up")).next == "approve"
    issued = await app.signed_in(owner, acr_values="urn:portico:aal2")
    assert claims(issued.id_token)["acr"] == "urn:portico:aal1"


async def test_a_level_that_must_be_reached_and_cannot_is_said(owner: Person, app: App) -> None:
    must = '{"id_token": {"acr": {"essential": true, "values": ["urn:portico:aal2"]}}}'
    asked = await app.ask(owner, claims=must)
    assert said(asked.response)["error"] == "unmet_authentication_requirements"


async def test_a_sign_out_in_another_tab_stops_the_approval(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    request_id = await app.request_id()
    await world.auth.Logout(auth.LogoutRequest(), metadata=owner.metadata)
    attempt = app.approve(owner, request_id)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_disabled_application_is_given_nothing(
    application_client: ApplicationClient, owner: Person, refused: Refused
) -> None:
    app = await new_app(application_client)
    request_id = await app.request_id()
    await application_client.update(app.client_id, enabled=False)
    await asyncio.sleep(0.3)
    attempt = app.approve(owner, request_id)
    await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "AUTHORIZATION_EXPIRED")


async def test_what_was_agreed_to_with_an_organization_covers_a_plain_sign_in(
    world: World, owner: Person, app: App, organization_id: str
) -> None:
    await app.signed_in(owner, scope="openid email projects:read")
    issued = await app.signed_in(owner, scope="openid email")
    assert (issued.scope, claims(issued.access_token)["org"]) == ("email openid", organization_id)
    assert len(await list_grants(world, owner)) == 1


# Single scopes


async def test_what_the_person_leaves_out_the_application_does_not_get_and_is_told(
    owner: Person, app: App
) -> None:
    response = await app.approve(
        owner,
        await app.request_id(scope="openid email projects:read"),
        scopes=["openid", "projects:read"],
    )
    issued = await app.exchange(response["code"])
    assert issued.scope == "openid projects:read"
    assert not (await app.user_info(issued.access_token)).email


async def test_what_was_left_out_is_not_asked_for_again_and_again(owner: Person, app: App) -> None:
    asked = "openid email projects:read"
    request_id = await app.request_id(scope=asked)
    await app.exchange((await app.approve(owner, request_id, scopes=["openid"]))["code"])
    assert (await app.ask(owner, scope=asked)).next == "approve"
    assert (await app.ask(owner, scope=asked, prompt="none")).next == "approve"
    assert (await app.signed_in(owner, scope=asked)).scope == "openid"
    # Together with something new it is before the person once more, as it was left.
    wider = await app.ask(owner, scope=f"{asked} organization:read")
    assert (wider.next, list(wider.new_scopes), list(wider.declined_scopes)) == (
        "consent",
        ["email", "projects:read", "organization:read"],
        ["email", "projects:read"],
    )
    given = ["openid", "email", "organization:read"]
    request_id = await app.request_id(scope=f"{asked} organization:read")
    await app.approve(owner, request_id, scopes=given)
    assert (await app.signed_in(owner, scope=f"{asked} organization:read")).scope == (
        "email openid organization:read"
    )


async def test_an_application_can_ask_once_more_for_what_was_left_out(
    world: World, owner: Person, app: App
) -> None:
    request_id = await app.request_id(scope="openid email")
    await app.approve(owner, request_id, scopes=["openid"])
    again = await app.ask(owner, scope="openid email", prompt="consent")
    assert (again.next, list(again.declined_scopes)) == ("consent", ["email"])
    # Who is asked and agrees to all of it gives all of it.
    await app.approve(owner, await app.request_id(scope="openid email", prompt="consent"))
    assert (await app.signed_in(owner, scope="openid email")).scope == "email openid"
    [grant] = await list_grants(world, owner)
    assert list(grant.scopes) == ["email", "openid"]


async def test_who_has_left_out_all_that_is_asked_for_is_asked(owner: Person, app: App) -> None:
    request_id = await app.request_id(scope="openid email")
    await app.approve(owner, request_id, scopes=["openid"])
    assert (await app.ask(owner, scope="email")).next == "consent"
    asked = await app.ask(owner, scope="email", prompt="none")
    assert said(asked.response)["error"] == "consent_required"


@pytest.mark.parametrize("given", [["email"], ["openid"], ["email", "projects:read"]])
async def test_what_an_application_cannot_do_without_is_given_or_nothing_is(
    application_client: ApplicationClient, owner: Person, given: list[str], refused: Refused
) -> None:
    app = await new_app(application_client, required_scopes=["projects:read"])
    request_id = await app.request_id(scope="openid email projects:read")
    asked = await app.ask_again(owner, request_id)
    assert list(asked.required_scopes) == ["openid", "projects:read"]
    attempt = app.approve(owner, request_id, scopes=given)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert list(found.fields) == ["scopes"]
    assert (await app.approve(owner, request_id, scopes=["openid", "projects:read"]))["code"]


async def test_what_became_required_is_asked_for_though_it_was_left_out(
    application_client: ApplicationClient, owner: Person
) -> None:
    app = await new_app(application_client)
    request_id = await app.request_id(scope="openid email")
    await app.approve(owner, request_id, scopes=["openid"])
    assert (await app.ask(owner, scope="openid email")).next == "approve"
    await application_client.update(app.client_id, required_scopes=["email"])
    await asyncio.sleep(0.3)
    asked = await app.ask(owner, scope="openid email")
    assert (asked.next, list(asked.declined_scopes)) == ("consent", [])


async def test_required_scopes_are_scopes_of_the_application(
    application_client: ApplicationClient, refused: Refused
) -> None:
    attempt = application_client.create(required_scopes=["keys:write"])
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")


async def test_what_was_left_out_in_one_organization_is_asked_for_in_another(
    world: World, owner: Person, app: App, organization_id: str
) -> None:
    second = await world.new_organization(owner)
    asked = "openid projects:read organization:read"
    given = ["openid", "projects:read"]
    request_id = await app.request_id(scope=asked)
    await app.approve(owner, request_id, organization_id=organization_id, scopes=given)
    request_id = await app.request_id(scope=asked, prompt="consent")
    response = await app.approve(owner, request_id, organization_id=second)
    assert (await app.exchange(response["code"])).scope == (
        "openid organization:read projects:read"
    )


async def test_who_leaves_out_that_it_goes_on_ends_it_by_signing_out(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    asked = "openid offline_access projects:read"
    request_id = await app.request_id(scope=asked)
    given = ["openid", "projects:read"]
    issued = await app.exchange((await app.approve(owner, request_id, scopes=given))["code"])
    renewed = await app.refresh(issued.refresh_token)
    assert renewed.scope == "openid projects:read"
    # What was not given cannot be had by asking for it later (RFC 6749, section 6).
    wider = app.refresh(renewed.refresh_token, scope=asked)
    await refused(wider, grpc.StatusCode.INVALID_ARGUMENT, "OAUTH_INVALID_SCOPE")
    assert (await app.ask(owner, scope=asked)).next == "approve"
    await world.auth.Logout(auth.LogoutRequest(), metadata=owner.metadata)
    ended = app.refresh(renewed.refresh_token)
    await refused(ended, grpc.StatusCode.INVALID_ARGUMENT, "OAUTH_INVALID_GRANT")
