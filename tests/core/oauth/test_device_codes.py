"""RFC 8628: a device without a browser is let in by a person elsewhere.

| section | test |
|---|---|
| 3.1, who the application is | `test_an_application_authenticates_as_at_the_token_endpoint` |
| 3.1, how parameters are read | tests/web/test_oauth_devices.py |
| 3.2 | `test_a_device_gets_two_codes_and_where_to_type_one` |
| 3.3 | `test_a_person_sees_who_asks_and_from_where`, `test_a_device_is_let_in` |
| 3.4 | `test_a_device_code_is_of_use_to_its_application_alone` |
| 3.5, slow_down | `test_a_device_that_polls_too_often_waits_longer_each_time` |
| 3.5, access_denied | `test_what_a_person_refuses_stays_refused` |
| 3.5, expired_token | `test_codes_are_over_after_ten_minutes` |
| 4 | `test_the_server_says_that_it_takes_devices` |
| 5.1 | `test_wrong_codes_are_counted_for_the_person` |
| 5.2 | `test_a_device_gets_two_codes_and_where_to_type_one` |
| 5.4 | `test_who_agreed_before_is_asked_again`, tests/web/test_oauth_devices.py |
| 6.1 | `test_a_user_code_is_taken_however_it_is_typed` |
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.oauth.v1 import device_service_pb2 as pb
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import new_id
from portico_kit.oauth_metadata import authorization_server_metadata
from portico_kit.storage.statements import run_in
from server.features.oauth import cleanup
from server.features.oauth.device_repository import POLL
from server.features.oauth.devices import PURPOSE
from server.features.oauth.repository import DEVICE_EXCHANGE
from server.features.oauth.user_codes import ALPHABET, new_user_code, shown, typed
from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.conftest import Audited, Refused
from tests.core.oauth.bound import proof
from tests.core.oauth.conftest import (
    SCOPES,
    App,
    claims,
    get_organization,
    list_grants,
    new_app,
    revoke_grant,
)
from tests.core.oauth.devices import GRANT_TYPE, Device
from tests.core.world import Person, World, refusal
from tests.support.proofs import ProofKey

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PENDING = (INVALID, "OAUTH_AUTHORIZATION_PENDING")
SLOW_DOWN = (INVALID, "OAUTH_SLOW_DOWN")
INVALID_GRANT = (INVALID, "OAUTH_INVALID_GRANT")
WRONG = (grpc.StatusCode.NOT_FOUND, "DEVICE_CODE_INVALID")
# As a keyboard for Japanese writes it.
WIDE = "".join(chr(ord(each) + 0xFEE0) for each in "BCDF-GHJK")
OFFLINE = "openid organization:read offline_access"


@pytest.fixture
async def tv(world: World, application_client: ApplicationClient) -> AsyncIterator[Device]:
    """A device with a public application of the owner's organization."""
    async with aio.insecure_channel(f"unix:{world.runtime_dir / 'core.sock'}") as edge:
        yield Device(await new_app(application_client, "device"), edge)


async def outcomes(calls: Sequence[Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


async def recorded(world: World, name: str, value: str) -> list[str]:
    """What the audit log has about devices with a detail of that value, oldest first."""
    query = text(
        "select action from audit_log where action like 'authorization.device%'"
        " and details ->> :name = :value order by id"
    )
    async with world.engine.connect() as db:
        return list((await db.execute(query, {"name": name, "value": value})).scalars())


# The codes


def test_a_user_code_is_taken_however_it_is_typed() -> None:
    for text_ in ("BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "BCDF\u2013GHJK", WIDE):
        assert typed(text_) == "BCDFGHJK", text_
    for text_ in ("", "-", "BCDFGHJ", "BCDFGHJKL", "ACDFGHJK", "BCDFGHJ1", "b" * 99):
        assert typed(text_) is None, text_


def test_a_user_code_has_eight_of_twenty_consonants() -> None:
    codes = {new_user_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert {each for code in codes for each in code} == set(ALPHABET)
    assert not set(ALPHABET) & set("AEIOUY0123456789")
    assert all(typed(shown(code)) == code for code in codes)


async def test_a_device_gets_two_codes_and_where_to_type_one(tv: Device) -> None:
    codes = (await tv.begin(scope="openid projects:read")).codes
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", codes.device_code)
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", codes.user_code)
    assert codes.verification_uri == f"{ISSUER}/device"
    assert codes.verification_uri_complete == f"{ISSUER}/device?user_code={codes.user_code}"
    assert (codes.expires_in, codes.interval) == (600, 5)


async def test_the_codes_are_kept_as_keyed_hashes(world: World, tv: Device) -> None:
    device = await tv.begin()
    async with world.engine.connect() as db:
        rows = (await db.execute(text("select * from oauth_device_codes"))).all()
    kept = str(rows)
    assert rows
    for secret in (device.codes.device_code, device.user_code, device.user_code.replace("-", "")):
        assert secret not in kept


def test_the_server_says_that_it_takes_devices() -> None:
    said = authorization_server_metadata(ISSUER)
    assert said["device_authorization_endpoint"] == f"{ISSUER}/oauth/device_authorization"
    assert GRANT_TYPE in said["grant_types_supported"]


# Which applications


async def test_an_application_authenticates_as_at_the_token_endpoint(
    application_client: ApplicationClient, tv: Device, refused: Refused
) -> None:
    """Its client_id alone is no proof; see decisions/0047."""
    grants = [GRANT_TYPE, "refresh_token"]
    app = await new_app(
        application_client,
        "device",
        token_endpoint_auth_method="client_secret_post",
        grant_types=grants,
    )
    device = await replace(tv, app=app).begin()
    denied = (grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")
    for wrong in (replace(app, secret=""), replace(app, secret="wrong")):
        await refused(replace(tv, app=wrong).begin(), *denied)
        await refused(replace(device, app=wrong).poll(), *denied)
    await refused(device.poll(), *PENDING)


async def test_only_an_application_with_the_grant_type_may_ask(
    tv: Device, app: App, refused: Refused
) -> None:
    await refused(replace(tv, app=app).begin(), INVALID, "OAUTH_UNAUTHORIZED_CLIENT")
    await refused(replace(tv, app=app).poll(device_code="x"), INVALID, "OAUTH_UNAUTHORIZED_CLIENT")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"scope": "openid keys:write"}, "OAUTH_INVALID_SCOPE"),
        ({"scope": "nothing"}, "OAUTH_INVALID_SCOPE"),
        ({"resource": ["https://elsewhere.example"]}, "OAUTH_INVALID_TARGET"),
    ],
)
async def test_what_it_may_not_have_is_refused_at_once(
    tv: Device, refused: Refused, fields: dict[str, Any], reason: str
) -> None:
    await refused(tv.begin(**fields), INVALID, reason)


async def test_without_a_scope_it_asks_for_all_that_it_may_have(tv: Device, owner: Person) -> None:
    device = await tv.begin(resource=[f"{ISSUER}/"])
    found = await device.look(owner)
    assert {scope.name for scope in found.authorization.scopes} == set(SCOPES)


# The person


async def test_a_person_sees_who_asks_and_from_where(
    tv: Device, owner: Person, organization_id: str
) -> None:
    device = await tv.begin(scope="openid projects:read")
    found = await device.look(owner)
    shown_ = found.authorization
    assert found.next == "consent"
    assert (shown_.user_code, shown_.client.name) == (device.user_code, "an application")
    assert shown_.client.client_id == tv.app.client_id
    assert [scope.name for scope in shown_.scopes] == ["openid", "projects:read"]
    assert [each.id for each in found.organizations] == [organization_id]
    assert shown_.needs_organization
    assert 590 < shown_.expires_at.seconds - shown_.requested_at.seconds <= 600
    assert shown_.requested_from == device.address
    assert not shown_.client.redirect_host


async def test_a_device_is_let_in(
    world: World,
    tv: Device,
    owner: Person,
    organization_id: str,
    audited: Audited,
    refused: Refused,
) -> None:
    _, issued = await tv.connected(owner, scope=OFFLINE)
    assert (issued.token_type, issued.expires_in) == ("Bearer", 900)
    assert set(issued.scope.split()) == set(OFFLINE.split())
    assert await get_organization(world, organization_id, issued.access_token)
    said = claims(issued.id_token)
    assert (said["sub"], said["aud"], said["amr"]) == (owner.id, tv.app.client_id, ["pwd"])
    assert "nonce" not in said
    [grant] = await list_grants(world, owner)
    assert (grant.client_id, grant.organization_id) == (tv.app.client_id, organization_id)
    assert await audited(grant.id) == ["grant.created"]
    assert await recorded(world, "clientId", tv.app.client_id) == ["authorization.device_approved"]
    refreshed = await tv.app.refresh(issued.refresh_token)
    assert await get_organization(world, organization_id, refreshed.access_token)
    await revoke_grant(world, owner, grant.id)
    denied = (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    await refused(get_organization(world, organization_id, refreshed.access_token), *denied)


async def test_a_person_can_choose_the_organization_and_give_less(
    world: World, tv: Device, owner: Person, refused: Refused
) -> None:
    other = await world.new_organization(owner)
    device = await tv.begin(scope="openid organization:read projects:read")
    assert len((await device.look(owner)).organizations) == 2
    not_ready = (grpc.StatusCode.FAILED_PRECONDITION, "AUTHORIZATION_NOT_READY")
    await refused(device.approve(owner), *not_ready)
    more = device.approve(owner, organization_id=other, scopes=["keys:write"])
    await refused(more, INVALID, "VALIDATION_ERROR")
    less = ["openid", "organization:read"]
    await device.approve(owner, organization_id=other, scopes=less)
    issued = await device.poll()
    assert issued.scope.split() == less
    assert claims(issued.access_token)["org"] == other


async def test_who_agreed_before_is_asked_again(tv: Device, owner: Person) -> None:
    """A code that somebody else has sent would let their device in without a word."""
    await tv.connected(owner, scope=OFFLINE)
    found = await (await tv.begin(scope=OFFLINE)).look(owner)
    assert (found.next, list(found.new_scopes)) == ("consent", [])
    assert set(found.granted_scopes) == set(OFFLINE.split())


async def test_who_may_do_nothing_of_it_can_only_refuse(
    world: World, tv: Device, refused: Refused
) -> None:
    stranger = await world.new_person()
    device = await tv.begin(scope="projects:read")
    assert (await device.look(stranger)).next == "deny"
    not_ready = (grpc.StatusCode.FAILED_PRECONDITION, "AUTHORIZATION_NOT_READY")
    await refused(device.approve(stranger), *not_ready)
    await device.deny(stranger)
    await refused(device.poll(), INVALID, "OAUTH_ACCESS_DENIED")


async def test_what_a_person_refuses_stays_refused(
    tv: Device, owner: Person, stranger: Person, refused: Refused
) -> None:
    """Also for who goes back to the page and presses the other button."""
    device = await tv.begin(scope=OFFLINE)
    await device.deny(owner)
    await refused(device.poll(), INVALID, "OAUTH_ACCESS_DENIED")
    for again in (device.approve(owner), device.look(owner), device.look(stranger)):
        await refused(again, *WRONG)
    await refused(device.poll(), INVALID, "OAUTH_ACCESS_DENIED")


async def test_who_regrets_takes_it_back_until_the_device_has_it(
    tv: Device, owner: Person, refused: Refused
) -> None:
    device = await tv.begin(scope=OFFLINE)
    await device.approve(owner)
    await device.deny(owner)
    await refused(device.poll(), INVALID, "OAUTH_ACCESS_DENIED")
    device, _ = await tv.connected(owner, scope=OFFLINE)
    await refused(device.deny(owner), *WRONG)


async def test_a_code_that_somebody_has_answered_is_nobody_elses(
    tv: Device, owner: Person, stranger: Person, refused: Refused
) -> None:
    device = await tv.begin(scope="openid")
    await device.approve(owner)
    for attempt in (device.look(stranger), device.approve(stranger), device.deny(stranger)):
        await refused(attempt, *WRONG)
    assert claims((await device.poll()).id_token)["sub"] == owner.id


async def test_wrong_codes_are_counted_for_the_person(
    tv: Device, owner: Person, stranger: Person, refused: Refused, world: World
) -> None:
    device = await tv.begin(scope="openid")
    blocked = (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS")
    for number in range(10):
        with world.clock.later(timedelta(seconds=40 * number)):
            # A right one costs nothing, and gives nothing back.
            await device.look(stranger)
            await refused(device.look(stranger, shown(new_user_code())), *WRONG)
    with world.clock.later(timedelta(seconds=400)):
        await refused(device.look(stranger), *blocked)
        await refused(device.approve(stranger), *blocked)
        guessed = await recorded(world, "userId", stranger.id)
        assert guessed == ["authorization.device_codes_guessed"]
        # It is that person's budget alone.
        await device.approve(owner)


async def test_codes_are_counted_for_the_address(
    world: World, tv: Device, owner: Person, refused: Refused
) -> None:
    """Whoever has many accounts has no more attempts for that."""
    device = await tv.begin(scope="openid")
    for _ in range(60):
        await device.look(owner)
    limited = (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    other = await world.new_person()
    await refused(device.look(other, shown(new_user_code())), *limited)


# The device


async def test_a_device_that_polls_too_often_waits_longer_each_time(
    world: World, tv: Device, owner: Person, refused: Refused
) -> None:
    device = await tv.begin(scope="openid")
    at = world.clock.later
    await refused(device.poll(), *PENDING)
    with at(timedelta(seconds=5)):
        await refused(device.poll(), *PENDING)
    with at(timedelta(seconds=6)):
        await refused(device.poll(), *SLOW_DOWN)
    with at(timedelta(seconds=10)):
        await refused(device.poll(), *SLOW_DOWN)
    # It is 15 seconds by now, and stays so.
    with at(timedelta(seconds=30)):
        await refused(device.poll(), *PENDING)
    with at(timedelta(seconds=35)):
        await refused(device.poll(), *SLOW_DOWN)
    with at(timedelta(seconds=62)):
        await refused(device.poll(), *PENDING)
        # Impatience costs nobody what was approved.
        await device.approve(owner)
        assert (await device.poll()).access_token


async def test_a_device_code_is_of_use_to_its_application_alone(
    application_client: ApplicationClient, tv: Device, owner: Person, refused: Refused
) -> None:
    device = await tv.begin(scope="openid")
    await device.approve(owner)
    other = replace(device, app=await new_app(application_client, "device"))
    for _ in range(2):
        await refused(other.poll(), *INVALID_GRANT)
    await refused(device.poll(device_code="made up"), *INVALID_GRANT)
    await refused(device.poll(device_code=""), INVALID, "OAUTH_INVALID_REQUEST")
    assert (await device.poll()).access_token


async def test_codes_are_over_after_ten_minutes(
    world: World, tv: Device, owner: Person, refused: Refused
) -> None:
    device = await tv.begin(scope="openid")
    with world.clock.later(timedelta(minutes=10)):
        person = await world.sign_in(owner.email)
        await refused(device.poll(), INVALID, "OAUTH_EXPIRED_TOKEN")
        await refused(device.approve(person), *WRONG)
    # Who answers at the last moment has answered in time.
    with world.clock.later(timedelta(minutes=9, seconds=40)):
        await device.approve(await world.sign_in(owner.email))
    with world.clock.later(timedelta(minutes=10, seconds=30)):
        assert (await device.poll()).access_token


async def test_a_device_code_is_good_once(tv: Device, owner: Person, refused: Refused) -> None:
    """Of many polls at once, too; and who polls again has not lost what they have."""
    device = await tv.begin(scope=OFFLINE)
    await device.approve(owner)
    found = await outcomes([device.poll() for _ in range(20)])
    [issued] = [each for each in found if not isinstance(each, Exception)]
    await refused(device.poll(), *INVALID_GRANT)
    assert (await tv.app.refresh(issued.refresh_token)).access_token


async def test_a_double_approval_is_one(world: World, tv: Device, owner: Person) -> None:
    device = await tv.begin(scope=OFFLINE)
    found = await outcomes([device.approve(owner) for _ in range(10)])
    assert not [each for each in found if isinstance(each, Exception)]
    assert (await device.poll()).access_token
    assert len(await list_grants(world, owner)) == 1


async def test_an_approval_and_a_refusal_at_once_are_one_of_them(tv: Device, owner: Person) -> None:
    """No device has tokens whose person was told that it gets none."""
    for _ in range(3):
        device = await tv.begin(scope="openid")
        polled, _, denied = await outcomes(
            [device.poll(), device.approve(owner), device.deny(owner)]
        )
        [after] = await outcomes([device.poll()])
        assert isinstance(after, aio.AioRpcError)
        fetched = not isinstance(polled, Exception)
        assert fetched is isinstance(denied, Exception)
        expected = "OAUTH_INVALID_GRANT" if fetched else "OAUTH_ACCESS_DENIED"
        assert refusal(after).reason == expected


async def test_what_is_sent_twice_by_one_call_is_one_poll_and_one_use(
    world: World, tv: Device, owner: Person
) -> None:
    """A statement is sent once more if the connection ends under it; nobody knows if it ran."""
    device = await tv.begin(scope="openid")
    values = {
        "code_hash": world.secrets.mac(PURPOSE, device.codes.device_code),
        "application_id": tv.app.client_id,
        "now": world.clock(),
    }
    first, second, other = new_id(), new_id(), new_id()
    async with AsyncSession(world.engine) as db, db.begin():
        for attempt, early in ((first, False), (first, False), (second, True), (second, True)):
            [row] = await run_in(db, POLL, attempt=attempt, **values)
            assert row.polled_early is early
        interval = text("select interval_seconds from oauth_device_codes where code_hash = :h")
        assert await db.scalar(interval, {"h": values["code_hash"]}) == 10
    await device.approve(owner)
    values |= {"dpop_jkt": "", "idle_end": world.clock() + timedelta(days=1)}
    async with AsyncSession(world.engine) as db, db.begin():
        for attempt, count in ((first, 1), (first, 1), (other, 0)):
            assert len(await run_in(db, DEVICE_EXCHANGE, attempt=attempt, **values)) == count


@pytest.mark.parametrize("how", ["signed out", "withdrawn", "suspended"])
async def test_what_has_ended_before_the_device_polls_gives_nothing(
    world: World, tv: Device, owner: Person, refused: Refused, how: str
) -> None:
    person = await world.sign_in(owner.email)
    device = await tv.begin(scope="openid projects:read")
    await device.approve(person)
    if how == "signed out":
        await world.auth.Logout(auth.LogoutRequest(), metadata=person.metadata)
    elif how == "withdrawn":
        [grant] = await list_grants(world, person)
        await revoke_grant(world, person, grant.id)
    else:
        async with world.engine.begin() as db:
            suspend = text("update users set status = 'suspended' where id = :id")
            await db.execute(suspend, {"id": person.id})
    await refused(device.poll(), *INVALID_GRANT)


async def test_tokens_end_with_the_session_unless_they_are_for_offline_access(
    world: World, tv: Device, owner: Person, organization_id: str, refused: Refused
) -> None:
    """The session in which the person answered, as for every application."""
    person = await world.sign_in(owner.email)
    _, online = await tv.connected(person, scope="openid organization:read")
    _, offline = await tv.connected(person, scope=OFFLINE)
    await world.auth.Logout(auth.LogoutRequest(), metadata=person.metadata)
    await refused(tv.app.refresh(online.refresh_token), *INVALID_GRANT)
    refreshed = await tv.app.refresh(offline.refresh_token)
    assert await get_organization(world, organization_id, refreshed.access_token)


async def test_an_application_that_must_prove_a_key_proves_it_at_each_poll(
    application_client: ApplicationClient, tv: Device, owner: Person, refused: Refused
) -> None:
    app = await new_app(application_client, "device", dpop_bound_access_tokens=True)
    world, key, other = app.world, ProofKey(), ProofKey()
    device = await replace(tv, app=app).begin(scope="openid offline_access")
    await refused(device.poll(), INVALID, "OAUTH_INVALID_DPOP_PROOF")
    await refused(device.poll(dpop_proof=proof(world, key)), *PENDING)
    await device.approve(owner)
    issued = await device.poll(dpop_proof=proof(world, key))
    assert issued.token_type == "DPoP"
    again = app.refresh(issued.refresh_token, dpop_proof=proof(world, other))
    await refused(again, *INVALID_GRANT)
    assert (await app.refresh(issued.refresh_token, dpop_proof=proof(world, key))).access_token


async def test_pushed_requests_are_no_matter_of_devices(
    application_client: ApplicationClient, tv: Device, owner: Person
) -> None:
    """The device's own request comes from the application itself in any case."""
    app = await new_app(application_client, "device", require_pushed_authorization_requests=True)
    _, issued = await replace(tv, app=app).connected(owner, scope="openid")
    assert issued.access_token


async def test_introspection_and_revocation_know_its_tokens(
    application_client: ApplicationClient, tv: Device, owner: Person
) -> None:
    app = await new_app(
        application_client, "device", token_endpoint_auth_method="client_secret_basic"
    )
    _, issued = await replace(tv, app=app).connected(owner, scope=OFFLINE)
    said = await app.introspect(issued.access_token)
    assert (said.active, said.client_id, said.sub) == (True, app.client_id, owner.id)
    await app.revoke(issued.refresh_token)
    assert not await app.is_active(issued.access_token)


async def test_an_application_hears_of_the_end_of_the_session_as_after_a_code(
    world: World, application_client: ApplicationClient, tv: Device, owner: Person
) -> None:
    app = await new_app(
        application_client,
        "web",
        grant_types=["authorization_code", "refresh_token", GRANT_TYPE],
        backchannel_logout_uri="https://app.example.com/logout",
    )
    await replace(tv, app=app).connected(owner, scope="openid")
    query = text("select count(*) from oauth_logouts where application_id = :id")
    async with world.engine.connect() as db:
        assert await db.scalar(query, {"id": app.client_id}) == 1


async def test_of_two_people_at_once_one_answers(
    world: World, tv: Device, owner: Person, refused: Refused
) -> None:
    other = await world.new_person()
    device = await tv.begin(scope="openid")
    found = await outcomes([device.approve(owner), device.approve(other)])
    assert len([each for each in found if isinstance(each, Exception)]) == 1
    issued = await device.poll()
    winner = owner if found[0] is None else other
    assert claims(issued.id_token)["sub"] == winner.id


async def test_no_application_answers_for_a_person(
    tv: Device, owner: Person, refused: Refused
) -> None:
    _, issued = await tv.connected(owner, scope=OFFLINE)
    device = await tv.begin(scope=OFFLINE)
    pretender = replace(owner, access_token=issued.access_token)
    denied = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    for attempt in (device.look(pretender), device.approve(pretender), device.deny(pretender)):
        await refused(attempt, *denied)
    unsigned = device.stub.GetDeviceAuthorization(
        pb.GetDeviceAuthorizationRequest(user_code=device.user_code)
    )
    unauthenticated = (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    await refused(unsigned, *unauthenticated)
    begin = device.stub.AuthorizeDevice(
        pb.AuthorizeDeviceRequest(client=tv.app.credentials), metadata=owner.metadata
    )
    await refused(begin, *unauthenticated)


async def test_old_codes_are_cleared_away_in_batches(world: World, tv: Device) -> None:
    for _ in range(3):
        await tv.begin()
    async with AsyncSession(world.engine) as db, db.begin():
        soon, later = (world.clock() + timedelta(minutes=each) for each in (65, 75))
        await cleanup.delete_device_codes(db, soon - timedelta(minutes=10), 1000)
        left = text("select count(*) from oauth_device_codes")
        assert await db.scalar(left) >= 3
        assert await cleanup.delete_device_codes(db, later, 2) == 2
        while await cleanup.delete_device_codes(db, later, 2):
            pass
        assert await db.scalar(left) == 0
