"""Applications are told of sessions that end (OpenID Connect Back-Channel Logout 1.0).

The receiver is a server on this machine, the sender what the workers run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import grpc
import jwt
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.oauth.v1 import logout_service_pb2 as pb
from portico.oauth.v1.logout_service_pb2_grpc import LogoutServiceStub
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import text

from portico_kit.storage.base import sessions
from portico_kit.storage.reads import Reads
from server.common.outbound_addresses import AddressPolicy
from server.common.outbound_json import JsonClient
from server.features.auth.signing_keys import SigningKeys
from server.features.oauth import cleanup
from server.features.oauth.logout_sender import LEASE, LogoutSender
from server.features.oauth.logout_tokens import LogoutTokens
from server.features.oauth.subjects import Subjects
from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.conftest import Refused
from tests.core.oauth.conftest import App, claims, new_app
from tests.core.users.conftest import administrator as administrator
from tests.core.world import Person, World
from tests.workers.harness import Receiver, answer, hanging, receiving

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """The application's endpoint, which accepts everything."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def told_app(application_client: ApplicationClient, receiver: Receiver) -> App:
    """An application that wants to be told."""
    return await new_app(application_client, backchannel_logout_uri=receiver.url)


@pytest.fixture
async def member(world: World, owner: Person, organization_id: str) -> Person:
    """Somebody who signs in to applications; what happens to them happens to no owner."""
    return await world.new_member(organization_id, owner, "member")


@pytest.fixture
async def new_sender(world: World, database_url: str) -> AsyncIterator[Callable[..., LogoutSender]]:
    """Makes senders, as each worker process has one."""
    made = []

    def make(*, allow_loopback: bool = True) -> LogoutSender:
        keys = SigningKeys(world.engine, world.secrets, world.clock)
        sender = LogoutSender(
            sessions=sessions(world.engine),
            reads=Reads(database_url),
            client=JsonClient(AddressPolicy(allow_loopback=allow_loopback)),
            signing_keys=keys,
            tokens=LogoutTokens(ISSUER, keys, Subjects(world.secrets)),
            clock=world.clock,
        )
        made.append(sender)
        return sender

    yield make
    for each in made:
        await each.close()


@pytest.fixture
def send(new_sender: Callable[..., LogoutSender]) -> LogoutSender:
    """What a worker runs."""
    return new_sender()


def token_of(body: bytes) -> str:
    """The logout token of a request, which has nothing else in it."""
    form = parse_qs(body.decode(), strict_parsing=True)
    assert list(form) == ["logout_token"]
    return form["logout_token"][0]


async def verified(world: World, token: str, client_id: str) -> dict[str, Any]:
    """The claims, verified as an application does: by the published keys."""
    keys = await world.auth.GetJsonWebKeySet(auth.GetJsonWebKeySetRequest())
    header = jwt.get_unverified_header(token)
    [published] = [key for key in keys.keys if key.kid == header["kid"]]
    values = {field.name: value for field, value in published.ListFields()}
    key = jwt.PyJWK(values, header["alg"]).key
    return dict(jwt.decode(token, key, [header["alg"]], audience=client_id, issuer=ISSUER))


async def sign_out(world: World, person: Person) -> None:
    await world.auth.Logout(auth.LogoutRequest(), metadata=person.metadata)


async def logouts(app: App, person: Person) -> list[pb.ApplicationLogout]:
    """What the owner sees of the calls."""
    listed = await LogoutServiceStub(app.world.channel).ListApplicationLogouts(
        pb.ListApplicationLogoutsRequest(application_id=app.client_id), metadata=person.metadata
    )
    return list(listed.logouts)


async def test_a_sign_out_is_told_with_a_logout_token(
    world: World, told_app: App, member: Person, receiver: Receiver, send: LogoutSender
) -> None:
    id_token = claims((await told_app.signed_in(member)).id_token)
    await send()
    assert not receiver.requests
    await sign_out(world, member)
    await send()
    [request] = await receiver.got(1)
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    token = token_of(request.body)
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"]) == ("logout+jwt", "RS256")
    said = await verified(world, token, told_app.client_id)
    assert said.keys() == {"iss", "aud", "iat", "exp", "jti", "events", "sid", "sub"}
    assert said["events"] == {EVENT: {}}
    assert (said["sid"], said["sub"]) == (id_token["sid"], id_token["sub"])
    assert 0 < said["exp"] - said["iat"] <= 120


async def test_the_token_is_signed_as_the_id_tokens_of_the_application_are(
    world: World,
    application_client: ApplicationClient,
    member: Person,
    receiver: Receiver,
    send: LogoutSender,
) -> None:
    app = await new_app(
        application_client,
        backchannel_logout_uri=receiver.url,
        id_token_signed_response_alg="ES256",
        subject_type="pairwise",
    )
    id_token = claims((await app.signed_in(member)).id_token)
    await sign_out(world, member)
    await send()
    [request] = await receiver.got(1)
    token = token_of(request.body)
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    said = await verified(world, token, app.client_id)
    # A name that the application alone has for the person, in both.
    assert said["sub"] == id_token["sub"] != member.id


async def test_who_is_told_by_the_browser_alone_is_not_called_and_nothing_is_left_of_it(
    world: World,
    application_client: ApplicationClient,
    member: Person,
    receiver: Receiver,
    send: LogoutSender,
) -> None:
    front = "https://app.example.com/signed-out"
    by_browser = await new_app(application_client, frontchannel_logout_uri=front)
    both = await new_app(
        application_client, frontchannel_logout_uri=front, backchannel_logout_uri=receiver.url
    )
    for app in (by_browser, both):
        await app.signed_in(member)
    await sign_out(world, member)
    await send()
    await receiver.got(1)
    assert await logouts(by_browser, application_client.owner) == []
    assert [each.status for each in await logouts(both, application_client.owner)] == ["delivered"]


async def test_a_logout_token_passes_for_no_other_token(
    world: World, told_app: App, member: Person, receiver: Receiver, send: LogoutSender
) -> None:
    await told_app.signed_in(member)
    await sign_out(world, member)
    await send()
    token = token_of((await receiver.got(1))[0].body)
    assert not await told_app.is_active(token)
    begun = await LogoutServiceStub(world.channel).BeginLogout(
        pb.BeginLogoutRequest(parameters=pb.LogoutParameters(id_token_hint=token))
    )
    assert begun.WhichOneof("outcome") == "error"


async def test_each_session_and_application_is_told_of_once(
    world: World,
    application_client: ApplicationClient,
    told_app: App,
    member: Person,
    receiver: Receiver,
    send: LogoutSender,
) -> None:
    other = await new_app(application_client, backchannel_logout_uri=receiver.url)
    silent = await new_app(application_client)
    elsewhere = await world.sign_in(member.email)
    for app in (told_app, told_app, other, silent):
        await app.signed_in(member)
    await told_app.signed_in(elsewhere)
    await sign_out(world, member)
    await send()
    told = [claims(token_of(each.body)) for each in await receiver.got(2)]
    assert {each["aud"] for each in told} == {told_app.client_id, other.client_id}
    await sign_out(world, elsewhere)
    await asyncio.gather(send(), send())
    third = claims(token_of((await receiver.got(3))[2].body))
    assert third["sid"] not in {each["sid"] for each in told}
    await send()
    await receiver.got(3)


async def test_who_asks_for_no_id_token_is_told_nothing(
    world: World, told_app: App, member: Person, receiver: Receiver, send: LogoutSender
) -> None:
    await told_app.signed_in(member, scope="projects:read")
    await sign_out(world, member)
    await send()
    assert not receiver.requests


async def revoke(world: World, member: Person, _administrator: Person) -> None:
    session = claims(member.access_token)["sid"]
    other = await world.sign_in(member.email)
    request = auth.RevokeSessionRequest(session_id=session)
    await world.auth.RevokeSession(request, metadata=other.metadata)


async def reset(world: World, member: Person, _administrator: Person) -> None:
    await world.auth.ForgotPassword(auth.ForgotPasswordRequest(email=member.email))
    token = (await world.mail(member.email, "reset_password"))["token"]
    new = "another password that is long enough"
    await world.auth.ResetPassword(auth.ResetPasswordRequest(token=token, new_password=new))


async def suspend(world: World, member: Person, administrator: Person) -> None:
    request = users.UpdateUserRequest(user_id=member.id, status="suspended")
    await world.users.UpdateUser(request, metadata=administrator.metadata)


async def delete(world: World, member: Person, _administrator: Person) -> None:
    request = users.DeleteMeRequest(current_password=member.password)
    await world.users.DeleteMe(request, metadata=member.metadata)


@pytest.mark.parametrize("end", [revoke, reset, suspend, delete])
async def test_however_a_session_ends_its_applications_are_told(
    world: World,
    told_app: App,
    member: Person,
    administrator: Person,
    receiver: Receiver,
    send: LogoutSender,
    end: Callable[[World, Person, Person], Awaitable[None]],
) -> None:
    id_token = claims((await told_app.signed_in(member)).id_token)
    await end(world, member, administrator)
    assert "portico.auth.session_ends" in world.notifier.tasks
    await send()
    [request] = await receiver.got(1)
    assert claims(token_of(request.body))["sid"] == id_token["sid"]


async def test_what_the_application_was_given_may_have_ended_long_before(
    world: World, told_app: App, member: Person, receiver: Receiver, send: LogoutSender
) -> None:
    tokens = await told_app.signed_in(member)
    await told_app.revoke(tokens.access_token)
    async with sessions(world.engine).begin() as db:
        await cleanup.delete_authorizations(db, world.clock(), 1000)
    await sign_out(world, member)
    await send()
    await receiver.got(1)


async def test_a_call_that_fails_is_made_again_four_times_and_its_owner_sees_it(
    world: World,
    told_app: App,
    owner: Person,
    member: Person,
    receiver: Receiver,
    send: LogoutSender,
) -> None:
    await told_app.signed_in(member)
    assert not await logouts(told_app, owner)
    receiver.handler = answer(500)
    await sign_out(world, member)
    await send()
    [shown] = await logouts(told_app, owner)
    assert (shown.status, shown.attempt_count, shown.response_status) == ("pending", 1, 500)
    assert shown.HasField("next_attempt_at")
    passed = timedelta(seconds=5)
    for number, pause in enumerate((10, 60, 300, 900), start=2):
        await send()
        await receiver.got(number - 1)
        passed += timedelta(seconds=pause)
        with world.clock.later(passed):
            await send()
            await receiver.got(number)
    names = [claims(token_of(each.body))["jti"] for each in receiver.requests]
    assert len(set(names)) == 5
    with world.clock.later(timedelta(days=1)):
        await send()
        await receiver.got(5)
    [shown] = await logouts(told_app, owner)
    assert (shown.status, shown.attempt_count) == ("failed", 5)
    assert not shown.HasField("next_attempt_at")
    assert shown.HasField("settled_at")


async def test_an_application_that_is_back_is_told(
    world: World,
    told_app: App,
    owner: Person,
    member: Person,
    receiver: Receiver,
    send: LogoutSender,
) -> None:
    await told_app.signed_in(member)
    receiver.handler = answer(503)
    await sign_out(world, member)
    await send()
    receiver.handler = answer(204)
    world.clock.advance(timedelta(seconds=11))
    await send()
    [shown] = await logouts(told_app, owner)
    assert (shown.status, shown.attempt_count, shown.error) == ("delivered", 2, "")


async def test_a_worker_that_dies_leaves_the_call_to_another_one(
    world: World,
    told_app: App,
    member: Person,
    receiver: Receiver,
    new_sender: Callable[..., LogoutSender],
) -> None:
    await told_app.signed_in(member)
    await sign_out(world, member)
    receiver.handler = hanging(30)
    dies = asyncio.create_task(new_sender()())
    await receiver.got(1)
    dies.cancel()
    receiver.handler = answer(200)
    await new_sender()()
    await receiver.got(1)
    world.clock.advance(LEASE + timedelta(seconds=1))
    await new_sender()()
    first, second = (claims(token_of(each.body)) for each in await receiver.got(2))
    # The same call: an application that keeps what it has seen takes it once.
    assert first["jti"] == second["jti"]


async def test_a_slow_application_holds_up_nobody(
    world: World,
    application_client: ApplicationClient,
    told_app: App,
    member: Person,
    receiver: Receiver,
    send: LogoutSender,
) -> None:
    receiver.handler = hanging(2.5)
    people = [member]
    people.extend([await world.sign_in(member.email) for _ in range(11)])
    for person in people:
        await told_app.signed_in(person)
    async with receiving() as quick:
        other = await new_app(application_client, backchannel_logout_uri=quick.url)
        await other.signed_in(member)
        slow_first = people[1:]
        for person in slow_first:
            await sign_out(world, person)
        working = asyncio.create_task(send())
        await receiver.got(8)
        began = time.monotonic()
        await sign_out(world, member)
        await quick.got(1, within=2.0)
        assert time.monotonic() - began < 2.0
        await working
    assert len(receiver.requests) == 12


async def test_private_addresses_are_not_called(
    world: World,
    told_app: App,
    owner: Person,
    member: Person,
    receiver: Receiver,
    new_sender: Callable[..., LogoutSender],
) -> None:
    await told_app.signed_in(member)
    await sign_out(world, member)
    await new_sender(allow_loopback=False)()
    assert not receiver.requests
    [shown] = await logouts(told_app, owner)
    assert shown.status == "pending"
    assert shown.error


async def test_an_application_that_is_gone_is_not_called(
    world: World,
    application_client: ApplicationClient,
    told_app: App,
    member: Person,
    receiver: Receiver,
    send: LogoutSender,
) -> None:
    await told_app.signed_in(member)
    await application_client.delete(told_app.client_id)
    await sign_out(world, member)
    await send()
    assert not receiver.requests


async def test_strangers_do_not_see_the_calls(
    world: World, told_app: App, refused: Refused
) -> None:
    stranger = await world.new_person()
    await refused(logouts(told_app, stranger), grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_nothing_is_left_of_sign_ins_of_long_ago(
    world: World, told_app: App, member: Person
) -> None:
    await told_app.signed_in(member)
    query = text("select count(*) from oauth_logouts where application_id = :id")
    later = world.clock() + timedelta(days=32)
    async with sessions(world.engine).begin() as db:
        assert await db.scalar(query, {"id": UUID(told_app.client_id)}) == 1
        await cleanup.delete_logouts(db, later, 1000)
        assert await db.scalar(query, {"id": UUID(told_app.client_id)}) == 0
