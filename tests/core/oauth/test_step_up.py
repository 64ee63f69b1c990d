"""What an application, or an organization, asks to be shown beyond the password, and gets."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest
from portico.auth.v1 import challenge_service_pb2 as challenges
from portico.organizations.v1 import organization_service_pb2 as organizations

from tests.core.applications.conftest import ApplicationClient
from tests.core.conftest import Refused
from tests.core.factors.conftest import Protected, enroll_app
from tests.core.oauth.conftest import App, claims, get_organization, new_app, said
from tests.core.oauth.devices import Device
from tests.core.world import Person, World

AAL1, AAL2 = "urn:portico:aal1", "urn:portico:aal2"
MUST = '{"id_token": {"acr": {"essential": true, "values": ["urn:portico:aal2"]}}}'
SCOPE = "openid organization:read offline_access"
NOT_READY = (grpc.StatusCode.FAILED_PRECONDITION, "AUTHORIZATION_NOT_READY")


@pytest.fixture
async def protected(world: World, owner: Person) -> Protected:
    """Somebody with an authenticator app, in a session in which the password alone was shown."""
    signed_in_before = await world.sign_in(owner.email)
    found = await enroll_app(world, owner)
    return replace(found, person=signed_in_before)


async def show(world: World, protected: Protected) -> Person:
    """Shows a code in the same session."""
    begun = await world.challenges.BeginStepUp(
        challenges.BeginStepUpRequest(acr_values=AAL2), metadata=protected.person.metadata
    )
    done = await world.challenges.CompleteChallenge(
        challenges.CompleteChallengeRequest(
            challenge=begun.challenge, method="totp", code=protected.next_code()
        )
    )
    return replace(protected.person, access_token=done.access_token)


@pytest.mark.parametrize("asked_for", [{"acr_values": AAL2}, {"claims": MUST}])
async def test_who_has_a_factor_shows_it_and_the_application_is_told_so(
    world: World, protected: Protected, app: App, refused: Refused, asked_for: dict[str, str]
) -> None:
    request_id = await app.request_id(scope=SCOPE, **asked_for)
    asked = await app.ask_again(protected.person, request_id)
    assert (asked.next, list(asked.acr_values)) == ("step_up", [AAL2])
    found = await refused(app.approve(protected.person, request_id), *NOT_READY)
    assert found.metadata["next"] == "step_up"
    person = await show(world, protected)
    assert (await app.ask_again(person, request_id)).next == "consent"
    issued = await app.exchange((await app.approve(person, request_id))["code"])
    for token in (issued.id_token, issued.access_token):
        assert claims(token)["acr"] == AAL2
        assert {"mfa", "otp", "pwd"} <= set(claims(token)["amr"])
    # What was shown then holds for what is refreshed later.
    assert claims((await app.refresh(issued.refresh_token)).access_token)["acr"] == AAL2


async def test_nobody_is_asked_for_a_factor_where_no_page_may_be_shown(
    protected: Protected, app: App
) -> None:
    await app.signed_in(protected.person, scope=SCOPE)
    asked = await app.ask(protected.person, scope=SCOPE, claims=MUST, prompt="none")
    assert said(asked.response)["error"] == "interaction_required"
    # A wish is none: without the factor, and saying so.
    request_id = await app.request_id(scope=SCOPE, acr_values=AAL2, prompt="none")
    assert (await app.ask_again(protected.person, request_id)).next == "approve"
    code = (await app.approve(protected.person, request_id))["code"]
    assert claims((await app.exchange(code)).id_token)["acr"] == AAL1


async def test_an_organization_that_demands_a_factor_is_opened_by_it_alone(
    world: World,
    owner: Person,
    protected: Protected,
    app: App,
    application_client: ApplicationClient,
    organization_id: str,
    refused: Refused,
) -> None:
    tv = await new_app(application_client, "device")
    before = await app.signed_in(protected.person, scope=SCOPE)
    assert await get_organization(world, organization_id, before.access_token)
    policy = organizations.UpdateSecurityPolicyRequest(
        organization_id=organization_id, second_factor="required"
    )
    # The session in which the app was enrolled has shown it.
    await world.organizations.UpdateSecurityPolicy(policy, metadata=owner.metadata)
    # What came of the password alone opens nothing there, from then on.
    attempt = get_organization(world, organization_id, before.access_token)
    lacking = "INSUFFICIENT_USER_AUTHENTICATION"
    found = await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, lacking)
    assert (found.metadata["missing"], found.metadata["methods"]) == (
        "factor",
        "recovery_code totp",
    )
    request_id = await app.request_id(scope=SCOPE)
    asked = await app.ask_again(protected.person, request_id)
    assert (asked.next, list(asked.acr_values)) == ("step_up", [AAL2])
    silent = await app.ask(protected.person, scope=SCOPE, prompt="none")
    assert said(silent.response)["error"] == "interaction_required"
    await refused(app.approve(protected.person, request_id), *NOT_READY)
    device = await Device(tv).begin(scope=SCOPE)
    found_there = await device.look(protected.person)
    assert (found_there.next, list(found_there.acr_values)) == ("step_up", [AAL2])
    await refused(device.approve(protected.person), *NOT_READY)
    person = await show(world, protected)
    await device.approve(person)
    assert claims((await device.poll()).access_token)["acr"] == AAL2
    assert (await app.ask_again(person, request_id)).next == "approve"
    issued = await app.exchange((await app.approve(person, request_id))["code"])
    assert claims(issued.access_token)["acr"] == AAL2
    assert await get_organization(world, organization_id, issued.access_token)
