"""People sign in with a provider, once for each time that they begin to."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from grpc import aio
from portico.connections.v1 import federated_sign_in_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users

from tests.core.conftest import Audited, Refused
from tests.core.connections.front_end import (
    FrontEnd,
    Somebody,
    new_platform_connection,
    signed_in,
)
from tests.core.connections.provider import CLIENT_ID, Provider
from tests.core.world import Person, World, refusal

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_somebody_new_gets_an_account_and_a_session(
    world: World,
    provider: Provider,
    connection_id: str,
    front_end: FrontEnd,
    somebody_else: Somebody,
    audited: Audited,
) -> None:
    """oidcc-client-test"""
    answer = await front_end.sign_in_at(provider, connection_id)
    person = signed_in(answer)
    me = await world.users.GetMe(users.GetMeRequest(), metadata=person.metadata)
    assert me.user.email == somebody_else.email
    assert me.user.email_verified
    assert me.user.display_name == "Grace"
    assert (answer.purpose, answer.token_type) == ("sign_in", "Bearer")
    assert await audited(person.id) == [
        "user.registered",
        "user.email_verified",
        "user.identity_linked",
    ]


async def test_the_same_account_of_the_provider_signs_in_to_the_same_account(
    provider: Provider, connection_id: str, front_end: FrontEnd
) -> None:
    first = signed_in(await front_end.sign_in_at(provider, connection_id))
    # The address there changes, and belongs to somebody else here or to nobody.
    provider.person["email"] = "moved@elsewhere.example"
    provider.person["email_verified"] = False
    again = signed_in(await front_end.sign_in_at(provider, connection_id))
    assert (again.id, again.email) == (first.id, first.email)


async def test_the_authorization_request_is_bound_to_what_comes_back(
    provider: Provider, connection_id: str, front_end: FrontEnd
) -> None:
    url = await front_end.begin(connection_id, login_hint="grace@example.com")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(f"{provider.base}/authorize?")
    assert asked["client_id"] == CLIENT_ID
    assert asked["scope"] == "openid email profile"
    assert asked["redirect_uri"] == "http://127.0.0.1:8080/sign-in/callback"
    assert asked["login_hint"] == "grace@example.com"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["nonce"]) == 43


async def test_a_state_is_good_once(
    provider: Provider, connection_id: str, front_end: FrontEnd, refused: Refused
) -> None:
    brought = provider.authorize(await front_end.begin(connection_id))
    await front_end.complete(brought)
    exchanged = len(provider.exchanged)
    await refused(front_end.complete(brought), INVALID, "FEDERATED_STATE_INVALID")
    assert len(provider.exchanged) == exchanged


async def test_of_twenty_at_once_with_one_state_one_signs_in(
    provider: Provider, connection_id: str, front_end: FrontEnd
) -> None:
    brought = provider.authorize(await front_end.begin(connection_id))
    answers = await asyncio.gather(
        *(front_end.complete(brought) for _ in range(20)), return_exceptions=True
    )
    assert sum(not isinstance(each, BaseException) for each in answers) == 1
    assert len(provider.exchanged) == 1
    refusals = {refusal(each).reason for each in answers if isinstance(each, aio.AioRpcError)}
    assert refusals == {"FEDERATED_STATE_INVALID"}


async def test_a_state_of_another_browser_is_refused_before_the_code_is_sent(
    world: World, provider: Provider, connection_id: str, front_end: FrontEnd, refused: Refused
) -> None:
    brought = provider.authorize(await front_end.begin(connection_id))
    victim = FrontEnd(world)
    await victim.begin(connection_id)
    await refused(victim.complete(brought), INVALID, "FEDERATED_STATE_INVALID")
    assert provider.exchanged == []
    # Nor has it been used up: whoever began it completes it.
    assert signed_in(await front_end.complete(brought))


async def test_a_browser_without_its_token_completes_nothing(
    provider: Provider, connection_id: str, front_end: FrontEnd, refused: Refused
) -> None:
    brought = provider.authorize(await front_end.begin(connection_id))
    front_end.browser_token = ""
    await refused(front_end.complete(brought), INVALID, "FEDERATED_STATE_INVALID")


@pytest.mark.parametrize("state", ["x", "é", "A" * 300, "\x00", "AAAA=", " "])
async def test_a_made_up_state_is_refused(
    front_end: FrontEnd, state: str, refused: Refused
) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await front_end.complete({"state": state, "code": "x"})
    assert caught.value.code() == INVALID


async def test_a_sign_in_ends_after_ten_minutes(
    world: World, provider: Provider, connection_id: str, front_end: FrontEnd, refused: Refused
) -> None:
    brought = provider.authorize(await front_end.begin(connection_id))
    with world.clock.later(timedelta(minutes=10)):
        await refused(front_end.complete(brought), INVALID, "FEDERATED_STATE_INVALID")


async def test_two_tabs_sign_in_each_by_itself(
    provider: Provider, connection_id: str, front_end: FrontEnd
) -> None:
    first = await front_end.begin(connection_id, return_to="/one")
    second = await front_end.begin(connection_id, return_to="/two")
    late = await front_end.complete(provider.authorize(second))
    early = await front_end.complete(provider.authorize(first))
    assert (early.return_to, late.return_to) == ("/one", "/two")
    assert early.user.id == late.user.id


@pytest.mark.parametrize(
    "return_to", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb"]
)
async def test_the_way_back_leads_nowhere_else(
    connection_id: str, front_end: FrontEnd, return_to: str, refused: Refused
) -> None:
    call = front_end.begin(connection_id, return_to=return_to)
    await refused(call, INVALID, "VALIDATION_ERROR")


async def test_a_refusal_of_the_provider_is_one(
    connection_id: str, provider: Provider, front_end: FrontEnd, refused: Refused
) -> None:
    brought = provider.authorize(await front_end.begin(connection_id))
    denied = {"state": brought["state"], "error": "access_denied", "iss": provider.issuer}
    await refused(front_end.complete(denied), grpc.StatusCode.UNAUTHENTICATED, "PROVIDER_REFUSED")


async def test_twenty_first_sign_ins_at_once_make_one_account(
    world: World, provider: Provider, connection_id: str
) -> None:
    browsers = [FrontEnd(world) for _ in range(20)]
    answers = await asyncio.gather(
        *(browser.sign_in_at(provider, connection_id) for browser in browsers)
    )
    assert len({answer.user.id for answer in answers}) == 1


async def test_a_disabled_or_unknown_connection_signs_nobody_in(
    world: World,
    administrator: Person,
    provider: Provider,
    connection_id: str,
    front_end: FrontEnd,
    refused: Refused,
) -> None:
    from portico.connections.v1 import platform_connection_service_pb2 as platform
    from portico.connections.v1.platform_connection_service_pb2_grpc import (
        PlatformConnectionServiceStub,
    )

    brought = provider.authorize(await front_end.begin(connection_id))
    stub = PlatformConnectionServiceStub(world.channel)
    await stub.UpdatePlatformConnection(
        platform.UpdatePlatformConnectionRequest(connection_id=connection_id, enabled=False),
        metadata=administrator.metadata,
    )
    missing = (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")
    await refused(front_end.begin(connection_id), *missing)
    await refused(front_end.complete(brought), *missing)
    await refused(front_end.begin("01890a5d-ac96-774b-bcce-b302099a8057"), *missing)


async def test_options_say_what_there_is(
    world: World, administrator: Person, provider: Provider, front_end: FrontEnd
) -> None:
    mine = await new_platform_connection(
        world, administrator, provider.issuer, name="Zebra", preset="okta"
    )
    answer = await front_end.sign_in.ListSignInOptions(
        pb.ListSignInOptionsRequest(email="nobody@unknown.example")
    )
    found = {option.connection_id: option for option in answer.options}
    assert (found[mine].name, found[mine].preset) == ("Zebra", "okta")
    assert not found[mine].organization
