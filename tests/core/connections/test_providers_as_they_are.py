"""Providers that are right, and others stumble over."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from portico.auth.v1 import challenge_service_pb2 as challenges
from portico.connections.v1 import federated_sign_in_service_pb2 as pb
from portico.connections.v1 import identity_service_pb2 as identities
from portico.connections.v1.identity_service_pb2_grpc import IdentityServiceStub
from portico.email_changes.v1 import email_change_service_pb2 as email_changes
from portico.users.v1 import user_service_pb2 as users

from tests.core.conftest import Refused
from tests.core.connections.front_end import (
    FrontEnd,
    Somebody,
    new_platform_connection,
    signed_in,
)
from tests.core.connections.provider import KEYS, Provider, running_provider
from tests.core.factors.conftest import enroll_app
from tests.core.world import Person, World, bearer

UNREACHABLE = (grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNREACHABLE")


async def test_an_issuer_may_end_with_a_slash(
    world: World, administrator: Person, front_end: FrontEnd, provider: Provider
) -> None:
    """As authentik's do. It is neither added nor taken away."""
    provider.discovery = lambda document: document.update(issuer=f"{provider.base}/")
    provider.id_token = lambda claims: claims.update(iss=f"{provider.base}/")
    provider.callback = lambda brought: brought.update(iss=f"{provider.base}/")
    connection_id = await new_platform_connection(world, administrator, f"{provider.base}/")
    assert signed_in(await front_end.sign_in_at(provider, connection_id))


async def test_keys_of_unknown_kinds_are_left_out(
    front_end: FrontEnd, provider: Provider, connection_id: str
) -> None:
    provider.other_keys = [
        {"kty": "EC", "crv": "unheard-of", "x": "AA", "y": "AA", "kid": "a"},
        {"kty": "OKP", "crv": "X25519", "x": "AA", "kid": "b"},
        {"kty": "oct", "k": "AAAA", "kid": KEYS[0].kid},
        {"kty": "RSA", "kid": "c"},
        {**KEYS[1].public, "use": "enc", "kid": KEYS[0].kid},
        {"kty": ["RSA"]},
        None,
        7,
    ]
    assert signed_in(await front_end.sign_in_at(provider, connection_id))


async def test_a_key_need_not_name_its_algorithm(
    front_end: FrontEnd, provider: Provider, connection_id: str
) -> None:
    """As those of Entra ID do not."""
    key = {name: value for name, value in KEYS[0].public.items() if name not in ("alg", "use")}
    provider.other_keys, provider.keys = [key], []
    provider.sign = lambda claims: jwt.encode(
        claims, KEYS[0].private, "RS256", headers={"kid": KEYS[0].kid}
    )
    assert signed_in(await front_end.sign_in_at(provider, connection_id))


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "EdDSA", "PS256"])
async def test_other_signatures_are_good_if_discovery_lists_them(
    algorithm: str,
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
) -> None:
    private: Any = KEYS[0].private
    public: dict[str, Any] = KEYS[0].public | {"alg": algorithm}
    if algorithm.startswith("ES"):
        private = ec.generate_private_key(
            ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1()
        )
        public = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    elif algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
        public = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    provider.other_keys, provider.keys = [{**public, "kid": "other"}], []
    provider.discovery = lambda document: document.update(
        id_token_signing_alg_values_supported=[algorithm]
    )
    provider.sign = lambda claims: jwt.encode(
        {name: value for name, value in claims.items() if name != "at_hash"},
        private,
        algorithm,
        headers={"kid": "other"},
    )
    connection_id = await new_platform_connection(world, administrator, provider.issuer)
    assert signed_in(await front_end.sign_in_at(provider, connection_id))


async def test_a_client_can_show_who_it_is_by_its_key(
    world: World, administrator: Person, front_end: FrontEnd, provider: Provider
) -> None:
    """private_key_jwt"""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    connection_id = await new_platform_connection(
        world,
        administrator,
        provider.issuer,
        client_secret=pem,
        client_authentication="private_key_jwt",
    )
    brought = provider.authorize(await front_end.begin(connection_id))
    with pytest.raises(grpc.aio.AioRpcError):
        await front_end.complete(brought)
    sent = provider.exchanged[-1]["client_assertion"]
    claims = jwt.decode(
        sent, key.public_key(), algorithms=["ES256"], audience=f"{provider.base}/token"
    )
    assert claims["iss"] == claims["sub"] == "portico client+1"


BODIES = {
    "deep": b"[" * 100_000,
    "not json": b"<html>",
    "a list": b"[]",
    "nothing": b" ",
    "not utf-8": b'{"access_token": "\xff\xfe"}',
    "compressed": gzip.compress(b" " * 10_000_000),
    "a huge number": b'{"expires_in": ' + b"9" * 10_000 + b"}",
    "no token": b'{"access_token": {}, "id_token": []}',
}


@pytest.mark.parametrize("body", BODIES)
async def test_a_strange_answer_is_no_surprise(
    body: str, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    provider.raw_answer = BODIES[body]
    await refused(front_end.sign_in_at(provider, connection_id), *UNREACHABLE)


STRANGE_CLAIMS: list[dict[str, Any]] = [
    {"exp": float("nan")},
    {"exp": True},
    {"iat": float("nan")},
    {"aud": [["portico client+1"]], "azp": None},
    {"aud": {"portico client+1": 1}},
    {"sub": ["x"]},
    {"nonce": {"a": 1}},
    {"iss": None},
    {"at_hash": None, "azp": ["portico client+1"]},
]


@pytest.mark.parametrize("changes", STRANGE_CLAIMS)
async def test_strange_claims_are_no_surprise(
    changes: dict[str, Any],
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    refused: Refused,
) -> None:
    provider.id_token = lambda claims: claims.update(changes)
    call = front_end.sign_in_at(provider, connection_id)
    await refused(call, grpc.StatusCode.UNAUTHENTICATED, "PROVIDER_RESPONSE_INVALID")


async def test_strange_claims_that_nobody_needs_are_passed_over(
    front_end: FrontEnd, provider: Provider, connection_id: str
) -> None:
    provider.person |= {"amr": "mfa", "acr": 7, "sid": {"x": 1}, "hd": [], "name": ["a"]}
    assert signed_in(await front_end.sign_in_at(provider, connection_id))


async def test_unlinking_takes_nothing_else(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str
) -> None:
    """The address stays verified, and the session lasts."""
    person = await world.new_person()
    linked = await front_end.link(provider, connection_id, person)
    await IdentityServiceStub(world.channel).UnlinkIdentity(
        identities.UnlinkIdentityRequest(identity_id=linked.identity.id), metadata=person.metadata
    )
    me = await world.users.GetMe(users.GetMeRequest(), metadata=person.metadata)
    assert me.user.email_verified


@pytest.fixture
async def strong_provider(somebody_else: Somebody) -> AsyncIterator[Provider]:
    """A provider that says that it has asked for two factors."""
    person = somebody_else.claims(amr=["pwd", "mfa"])
    async with running_provider(person=person) as provider:
        yield provider


@pytest.mark.parametrize("trusts", [False, True])
async def test_a_second_factor_is_asked_for_unless_the_providers_counts(
    trusts: bool,
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    strong_provider: Provider,
    somebody_else: Somebody,
) -> None:
    ada = await world.new_person(somebody_else.email)
    protected = await enroll_app(world, ada)
    connection_id = await new_platform_connection(
        world, administrator, strong_provider.issuer, trusts_second_factor=trusts
    )
    answer = await front_end.sign_in_at(strong_provider, connection_id)
    assert answer.mfa_required == (not trusts)
    assert bool(answer.access_token) == trusts
    if not trusts:
        assert list(answer.methods) == ["recovery_code", "totp"]
        done = await world.challenges.CompleteChallenge(
            challenges.CompleteChallengeRequest(
                challenge=answer.challenge,
                method="recovery_code",
                code=protected.recovery_codes[0],
                device_token=answer.device_token,
            )
        )
        answer = pb.CompleteFederatedSignInResponse(access_token=done.access_token)
    # Either session rests on the sign-in at the provider, and ends with it.
    token = strong_provider.logout_token(sub=somebody_else.sub)
    await front_end.sign_in.ReceiveLogoutToken(
        pb.ReceiveLogoutTokenRequest(connection_id=connection_id, logout_token=token)
    )
    metadata = bearer(answer.access_token)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.users.GetMe(users.GetMeRequest(), metadata=metadata)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_a_sign_in_that_waits_for_a_second_factor_ends_with_the_providers_session(
    world: World,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    somebody_else: Somebody,
    refused: Refused,
) -> None:
    protected = await enroll_app(world, await world.new_person(somebody_else.email))
    answer = await front_end.sign_in_at(provider, connection_id)
    token = provider.logout_token(sub=somebody_else.sub)
    await front_end.sign_in.ReceiveLogoutToken(
        pb.ReceiveLogoutTokenRequest(connection_id=connection_id, logout_token=token)
    )
    call = world.challenges.CompleteChallenge(
        challenges.CompleteChallengeRequest(
            challenge=answer.challenge,
            method="recovery_code",
            code=protected.recovery_codes[0],
            device_token=answer.device_token,
        )
    )
    await refused(call, grpc.StatusCode.UNAUTHENTICATED, "CHALLENGE_EXPIRED")


async def test_taking_an_address_back_unlinks_everything(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
    somebody_else: Somebody,
    refused: Refused,
) -> None:
    """A thief has changed the address and linked an account of their own."""
    victim = await world.new_person()
    connection_id = await new_platform_connection(
        world, administrator, provider.issuer, trusted_domains=[]
    )
    token = await world.change_email(victim, somebody_else.email)
    await front_end.link(provider, connection_id, victim)
    assert (await front_end.sign_in_at(provider, connection_id)).user.id == victim.id
    await world.email_changes.RevertEmailChange(email_changes.RevertEmailChangeRequest(token=token))
    # The address that the thief moved the account to can be had again by its owner.
    call = front_end.sign_in_at(provider, connection_id)
    await refused(call, grpc.StatusCode.PERMISSION_DENIED, "EMAIL_NOT_VERIFIED")
