"""A provider that signs a person out signs them out here (OpenID Connect Back-Channel Logout 1.0).

The names of the modules of the OpenID conformance suite's plan for relying parties stand
where a test covers one.
"""

from __future__ import annotations

import time
from typing import Any

import grpc
import pytest
from portico.connections.v1 import federated_sign_in_service_pb2 as pb
from portico.connections.v1 import identity_service_pb2 as identities
from portico.connections.v1.identity_service_pb2_grpc import IdentityServiceStub
from portico.users.v1 import user_service_pb2 as users

from tests.core.conftest import Refused
from tests.core.connections.front_end import (
    FrontEnd,
    Somebody,
    new_platform_connection,
    signed_in,
)
from tests.core.connections.provider import KEYS, Provider, unsigned
from tests.core.world import Person, World

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "LOGOUT_TOKEN_INVALID")


async def log_out(front_end: FrontEnd, connection_id: str, token: str) -> None:
    request = pb.ReceiveLogoutTokenRequest(connection_id=connection_id, logout_token=token)
    await front_end.sign_in.ReceiveLogoutToken(request)


async def is_signed_in(world: World, person: Person) -> bool:
    try:
        await world.users.GetMe(users.GetMeRequest(), metadata=person.metadata)
    except grpc.aio.AioRpcError as error:
        return error.code() != grpc.StatusCode.UNAUTHENTICATED
    return True


@pytest.fixture
async def person(front_end: FrontEnd, provider: Provider, connection_id: str) -> Person:
    """Somebody who has signed in, in a session of the provider's."""
    provider.person["sid"] = "session-1"
    return signed_in(await front_end.sign_in_at(provider, connection_id))


async def test_a_session_ends_by_its_name(
    world: World,
    person: Person,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
) -> None:
    """oidcc-client-test-rp-backchannel-rpinitlogout, by sid"""
    provider.person["sid"] = "session-2"
    other = signed_in(await front_end.sign_in_at(provider, connection_id))
    with_password = await world.new_person()
    await log_out(front_end, connection_id, provider.logout_token(sid="session-1"))
    assert not await is_signed_in(world, person)
    assert await is_signed_in(world, other)
    assert await is_signed_in(world, with_password)


async def test_all_sessions_end_by_the_subject(
    world: World,
    person: Person,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    somebody_else: Somebody,
) -> None:
    """oidcc-client-test-rp-backchannel-rpinitlogout, by sub"""
    provider.person["sid"] = "session-2"
    other = signed_in(await front_end.sign_in_at(provider, connection_id))
    await log_out(front_end, connection_id, provider.logout_token(sub=somebody_else.sub))
    assert not await is_signed_in(world, person)
    assert not await is_signed_in(world, other)


async def test_an_unknown_session_is_no_mistake(
    front_end: FrontEnd, provider: Provider, connection_id: str
) -> None:
    await log_out(front_end, connection_id, provider.logout_token(sid="unknown"))


CLAIMS: dict[str, tuple[str, dict[str, Any]]] = {
    "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss": (
        "iss",
        {"iss": "https://evil.example"},
    ),
    "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud": ("aud", {"aud": "x"}),
    "oidcc-client-test-rp-backchannel-rpinitlogout-no-event": ("events", {"events": None}),
    "oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event": (
        "events",
        {"events": {"https://example.com/other": {}}},
    ),
    "event-that-is-no-object": (
        "events",
        {"events": {"http://schemas.openid.net/event/backchannel-logout": True}},
    ),
    "oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce": ("nonce", {"nonce": "x"}),
    "neither-sub-nor-sid": ("sub", {"sid": None}),
    "no-jti": ("jti", {"jti": None}),
    "no-iat": ("iat", {"iat": None}),
    "iat-in-the-future": ("iat", {"iat": lambda: time.time() + 120}),
    "old": ("iat", {"iat": lambda: time.time() - 700, "exp": None}),
    "expired": ("exp", {"exp": lambda: time.time() - 120}),
}


@pytest.mark.parametrize("trick", CLAIMS)
async def test_a_logout_token_with_a_wrong_claim_ends_nothing(
    trick: str,
    world: World,
    person: Person,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    refused: Refused,
) -> None:
    check, changes = CLAIMS[trick]
    claims = {name: value() if callable(value) else value for name, value in changes.items()}
    token = provider.logout_token(**{"sid": "session-1", **claims})
    found = await refused(log_out(front_end, connection_id, token), *INVALID)
    assert found.metadata["check"] == check
    assert await is_signed_in(world, person)


async def test_a_logout_token_of_somebody_else_ends_nothing(
    world: World,
    person: Person,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    refused: Refused,
) -> None:
    """oidcc-client-test-rp-backchannel-rpinitlogout-alg-none, -wrong-alg"""
    import jwt

    good = jwt.decode(provider.logout_token(sid="session-1"), options={"verify_signature": False})
    forged = {
        "signature": jwt.encode(good, KEYS[1].private, "RS256", headers={"kid": KEYS[0].kid}),
        "alg": unsigned(good),
        "alg ": jwt.encode(good, KEYS[0].private, "RS512", headers={"kid": KEYS[0].kid}),
        "kid": jwt.encode(good, KEYS[1].private, "RS256", headers={"kid": "unknown"}),
        "token_format": "x.y.z",
    }
    for check, token in forged.items():
        found = await refused(log_out(front_end, connection_id, token), *INVALID)
        assert found.metadata["check"] == check.strip()
    assert await is_signed_in(world, person)


async def test_a_logout_token_is_good_once(
    person: Person, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    token = provider.logout_token(sid="session-1")
    await log_out(front_end, connection_id, token)
    found = await refused(log_out(front_end, connection_id, token), *INVALID)
    assert found.metadata["check"] == "jti"


async def test_an_id_token_is_no_logout_token(
    person: Person, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    asked = {"client_id": "portico client+1", "nonce": "n"}
    token = provider.signed(provider.claims(asked, "x"))
    await refused(log_out(front_end, connection_id, token), *INVALID)


async def test_a_person_can_sign_out_at_the_provider_too(
    world: World, person: Person, provider: Provider
) -> None:
    """RP-Initiated Logout 1.0"""
    stub, request = IdentityServiceStub(world.channel), identities.GetProviderLogoutRequest()
    answer = await stub.GetProviderLogout(request, metadata=person.metadata)
    assert answer.logout_url.startswith(f"{provider.base}/logout?client_id=portico+client")
    other = await world.new_person()
    assert (await stub.GetProviderLogout(request, metadata=other.metadata)).logout_url == ""


async def test_a_session_that_had_no_name_ends_with_the_subject(
    world: World,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    somebody_else: Somebody,
) -> None:
    person = signed_in(await front_end.sign_in_at(provider, connection_id))
    token = provider.logout_token(sub=somebody_else.sub, sid="never heard of")
    await log_out(front_end, connection_id, token)
    assert not await is_signed_in(world, person)


async def test_a_subject_of_another_connection_ends_nothing(
    world: World,
    administrator: Person,
    person: Person,
    front_end: FrontEnd,
    provider: Provider,
    somebody_else: Somebody,
) -> None:
    other = await new_platform_connection(world, administrator, provider.issuer)
    await log_out(front_end, other, provider.logout_token(sub=somebody_else.sub))
    assert await is_signed_in(world, person)
