"""A device is remembered: for whom, for how long, what it is worth, and what ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1 import challenge_service_pb2 as challenges
from portico.auth.v1 import remembered_device_service_pb2 as pb
from portico.factors.v1 import factor_service_pb2 as factors
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as users

from tests.core.auth.conftest import claims
from tests.core.conftest import Refused
from tests.core.factors.conftest import Protected, enroll_app
from tests.core.world import Person, World, bearer, new_email

NEW_PASSWORD = "a much better horse battery"


async def remember(protected: Protected, device_token: str = "") -> auth.LoginResponse:
    """Signs in with a code and has the device remembered; gives how that began."""
    begun = await protected.login(device_token=device_token)
    request = challenges.CompleteChallengeRequest(
        challenge=begun.challenge,
        method="totp",
        code=protected.next_code(),
        device_token=begun.device_token,
        remember_device=True,
    )
    await protected.world.challenges.CompleteChallenge(request)
    return begun


async def asked(protected: Protected, device_token: str) -> bool:
    """Whether a sign-in on a device asks for the second factor."""
    return (await protected.login(device_token=device_token)).mfa_required


@pytest.fixture
async def device(protected: Protected) -> str:
    """The token of a remembered device."""
    return (await remember(protected)).device_token


async def devices(world: World, person: Person) -> list[pb.RememberedDevice]:
    answer = await world.remembered_devices.ListRememberedDevices(
        pb.ListRememberedDevicesRequest(), metadata=person.metadata
    )
    return list(answer.devices)


async def test_a_remembered_device_is_not_asked_for_30_days(
    world: World, protected: Protected, device: str
) -> None:
    assert not await asked(protected, device)
    assert await asked(protected, ""), "another device is"
    with world.clock.later(timedelta(days=29)):
        assert not await asked(protected, device)
    with world.clock.later(timedelta(days=30, seconds=1)):
        assert await asked(protected, device)


async def test_nobody_is_remembered_who_did_not_ask_for_it(protected: Protected) -> None:
    begun = await protected.login()
    await protected.complete(begun, protected.next_code())
    assert await asked(protected, begun.device_token)


async def test_no_device_is_remembered_for_a_wrong_code(
    world: World, protected: Protected, refused: Refused
) -> None:
    begun = await protected.login()
    request = challenges.CompleteChallengeRequest(
        challenge=begun.challenge,
        method="totp",
        code=protected.app.wrong_code(),
        device_token=begun.device_token,
        remember_device=True,
    )
    call = world.challenges.CompleteChallenge(request)
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "CODE_INVALID")
    assert await asked(protected, begun.device_token)


async def test_it_is_remembered_for_one_person(
    world: World, protected: Protected, device: str
) -> None:
    other = await enroll_app(world, await world.new_person())
    assert await asked(other, device)


async def test_it_is_worth_no_factor(
    world: World, protected: Protected, device: str, refused: Refused
) -> None:
    answer = await protected.login(device_token=device)
    assert claims(answer.access_token)["acr"] == "urn:portico:aal1"
    request = users.DeleteMeRequest(current_password=protected.person.password)
    call = world.users.DeleteMe(request, metadata=bearer(answer.access_token))
    await refused(call, grpc.StatusCode.UNAUTHENTICATED, "INSUFFICIENT_USER_AUTHENTICATION")


async def test_the_password_is_still_asked(
    world: World, protected: Protected, device: str, refused: Refused
) -> None:
    request = auth.LoginRequest(email=protected.person.email, password="wrong", device_token=device)
    call = world.auth.Login(request)
    await refused(call, grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS")


async def test_it_is_listed_and_can_be_ended(
    world: World, protected: Protected, device: str, stranger: Person, refused: Refused
) -> None:
    (found,) = await devices(world, protected.person)
    assert found.expires_at.seconds - found.created_at.seconds == 30 * 24 * 3600
    request = pb.DeleteRememberedDeviceRequest(device_id=found.id)
    service = world.remembered_devices
    call = service.DeleteRememberedDevice(request, metadata=stranger.metadata)
    await refused(call, grpc.StatusCode.NOT_FOUND, "REMEMBERED_DEVICE_NOT_FOUND")
    await service.DeleteRememberedDevice(request, metadata=protected.person.metadata)
    assert await asked(protected, device)
    assert await devices(world, protected.person) == []


async def test_a_device_is_remembered_once(world: World, protected: Protected, device: str) -> None:
    world.clock.advance(timedelta(days=31))
    again = await remember(protected, device)
    assert again.device_token == device
    person = await complete_new_session(world, protected)
    assert len(await devices(world, person)) == 1


async def complete_new_session(world: World, protected: Protected) -> Person:
    answer = await protected.complete(await protected.login(), protected.next_code())
    person = protected.person
    return Person(person.id, person.email, answer.access_token, answer.refresh_token)


async def change_password(world: World, protected: Protected) -> None:
    request = users.ChangePasswordRequest(
        current_password=protected.person.password, new_password=NEW_PASSWORD
    )
    await world.users.ChangePassword(request, metadata=protected.person.metadata)


async def add_factor(world: World, protected: Protected) -> None:
    await enroll_app(world, protected.person)


async def change_address(world: World, protected: Protected) -> None:
    email = new_email()
    await world.change_email(protected.person, email)
    object.__setattr__(protected.person, "email", email)


async def end_sessions(world: World, protected: Protected) -> None:
    metadata = protected.person.metadata
    found = await world.auth.ListSessions(auth.ListSessionsRequest(), metadata=metadata)
    for session in found.sessions:
        if not session.current:
            request = auth.RevokeSessionRequest(session_id=session.id)
            await world.auth.RevokeSession(request, metadata=metadata)


@pytest.mark.parametrize("change", [change_password, add_factor, change_address, end_sessions])
async def test_it_is_asked_again_after(
    world: World, protected: Protected, device: str, change: Any
) -> None:
    person = protected.person
    # The session of the fixture has shown its factor a while ago.
    fresh = await complete_new_session(world, protected)
    protected.person = fresh
    await change(world, protected)
    assert await devices(world, protected.person) == []
    password = NEW_PASSWORD if change is change_password else person.password
    request = auth.LoginRequest(
        email=protected.person.email, password=password, device_token=device
    )
    assert (await world.auth.Login(request)).mfa_required


async def test_it_is_asked_again_after_a_factor_was_removed(
    world: World, protected: Protected
) -> None:
    second = await enroll_app(world, protected.person)
    device = (await remember(protected)).device_token
    request = factors.DeleteFactorRequest(factor_id=second.factor_id)
    await world.factors.DeleteFactor(request, metadata=protected.person.metadata)
    assert await asked(protected, device)


async def test_an_organization_can_forbid_it(
    world: World, protected: Protected, device: str
) -> None:
    organization_id = await world.new_organization(protected.person)
    request = organizations.UpdateSecurityPolicyRequest(
        organization_id=organization_id, forbid_remembered_devices=True
    )
    await world.organizations.UpdateSecurityPolicy(request, metadata=protected.person.metadata)
    assert await asked(protected, device), "what was remembered before is not good either"
    other = await remember(protected)
    assert len(await devices(world, protected.person)) == 1
    assert await asked(protected, other.device_token)


async def test_the_device_of_the_session_that_asks_is_marked(
    world: World, protected: Protected
) -> None:
    begun = await remember(protected)
    again = await protected.login(device_token=begun.device_token)
    assert [each.current for each in await devices(world, protected.person)] == [False]
    answer = await world.remembered_devices.ListRememberedDevices(
        pb.ListRememberedDevicesRequest(), metadata=bearer(again.access_token)
    )
    assert [each.current for each in answer.devices] == [True]
