"""Authorization requests that nobody can change, and user info that the provider has signed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import jwt
import pytest
from portico.connections.v1 import platform_connection_service_pb2 as pb
from portico.connections.v1.platform_connection_service_pb2_grpc import (
    PlatformConnectionServiceStub,
)

from tests.core.conftest import Refused
from tests.core.connections.clients import (
    REQUEST_OBJECTS,
    authorize,
    create,
    published_key,
    request_object,
)
from tests.core.connections.front_end import FrontEnd, new_platform_connection, signed_in
from tests.core.connections.provider import CLIENT_ID, KEYS, Provider, unsigned
from tests.core.world import Person, World

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
WRONG = (grpc.StatusCode.UNAUTHENTICATED, "PROVIDER_RESPONSE_INVALID")


def by_request_object(provider: Provider, *algorithms: str, required: bool = False) -> None:
    """Has a provider take request objects."""

    def announce(document: dict[str, Any]) -> None:
        document |= {
            "request_parameter_supported": True,
            "request_uri_parameter_supported": True,
            "request_object_signing_alg_values_supported": list(algorithms or ["RS256"]),
            "require_signed_request_object": required,
        }

    provider.discovery = announce


async def opened(world: World, provider: Provider, connection_id: str, url: str) -> dict[str, Any]:
    """What a provider reads in a request object that is signed as it must be."""
    found = await request_object(world, url)
    assert jwt.get_unverified_header(found)["typ"] == "oauth-authz-req+jwt"
    key = await published_key(world, connection_id)
    claims: dict[str, Any] = jwt.decode(
        found, key.key, algorithms=["RS256"], audience=provider.issuer
    )
    assert claims["iss"] == claims["client_id"]
    # It cannot be taken for a client assertion.
    assert "sub" not in claims
    return claims


async def test_oidcc_client_test_request_uri_signed_rs256(
    world: World, administrator: Person, provider: Provider, front_end: FrontEnd
) -> None:
    provider.registers = True
    by_request_object(provider, "none", "RS256")
    connection = await create(
        world, administrator, issuer=provider.issuer, authorization_request="request_uri"
    )
    ((_, sent, _),) = provider.registrations
    assert sent["request_object_signing_alg"] == "RS256"
    url = await front_end.begin(connection.id, login_hint="ada@example.com")
    assert len(REQUEST_OBJECTS) < 400
    claims = await opened(world, provider, connection.id, url)
    assert claims["login_hint"] == "ada@example.com"
    assert claims["code_challenge_method"] == "S256"
    assert signed_in(await front_end.complete(authorize(provider, claims)))


async def test_oidcc_client_test_request_uri_signed_none(
    world: World, administrator: Person, provider: Provider, front_end: FrontEnd
) -> None:
    """Only where the provider knows no signature: it fetches the request from our address."""
    provider.registers = True
    by_request_object(provider, "none")
    connection = await create(
        world, administrator, issuer=provider.issuer, authorization_request="request_uri"
    )
    ((_, sent, _),) = provider.registrations
    assert sent["request_object_signing_alg"] == "none"
    found = await request_object(world, await front_end.begin(connection.id))
    assert jwt.get_unverified_header(found)["alg"] == "none"
    claims = jwt.decode(found, options={"verify_signature": False})
    assert signed_in(await front_end.complete(authorize(provider, claims)))


async def test_a_request_object_can_stand_in_the_address(
    world: World, administrator: Person, provider: Provider, front_end: FrontEnd
) -> None:
    by_request_object(provider)
    connection_id = await new_platform_connection(
        world, administrator, provider.issuer, authorization_request="request"
    )
    claims = await opened(world, provider, connection_id, await front_end.begin(connection_id))
    assert claims["client_id"] == CLIENT_ID
    assert signed_in(await front_end.complete(authorize(provider, claims)))


async def test_a_provider_that_requires_signed_requests_gets_them(
    world: World, administrator: Person, provider: Provider, front_end: FrontEnd
) -> None:
    by_request_object(provider, required=True)
    connection_id = await new_platform_connection(world, administrator, provider.issuer)
    claims = await opened(world, provider, connection_id, await front_end.begin(connection_id))
    assert claims["response_type"] == "code"


async def test_a_provider_is_not_asked_in_a_way_that_it_does_not_know(
    world: World, administrator: Person, provider: Provider, refused: Refused
) -> None:
    call = new_platform_connection(
        world, administrator, provider.issuer, authorization_request="request"
    )
    assert (await refused(call, *INVALID)).fields == ("authorization_request",)


async def test_a_request_object_is_there_for_five_minutes_and_is_not_guessed(
    world: World, administrator: Person, provider: Provider, front_end: FrontEnd, refused: Refused
) -> None:
    by_request_object(provider)
    connection_id = await new_platform_connection(
        world, administrator, provider.issuer, authorization_request="request_uri"
    )
    url = await front_end.begin(connection_id)
    assert await request_object(world, url) == await request_object(world, url)
    claims = jwt.decode(await request_object(world, url), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == timedelta(minutes=5).total_seconds()
    other = url[:-4] + ("AAAA" if not url.endswith("AAAA") else "BBBB")
    missing = (grpc.StatusCode.NOT_FOUND, "REQUEST_OBJECT_NOT_FOUND")
    await refused(request_object(world, other), *missing)


async def test_a_key_that_cannot_sign_is_refused_at_once(
    world: World, administrator: Person, provider: Provider, refused: Refused
) -> None:
    weak = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    for secret in (weak, "a secret", KEYS[0].public_pem.decode()):
        call = new_platform_connection(
            world,
            administrator,
            provider.issuer,
            client_secret=secret,
            client_authentication="private_key_jwt",
        )
        assert (await refused(call, *INVALID)).reasons == ("NO_PRIVATE_KEY",)


async def test_a_connection_that_is_changed_to_sign_gets_a_key(
    world: World, administrator: Person, provider: Provider, connection_id: str
) -> None:
    request = pb.UpdatePlatformConnectionRequest(
        connection_id=connection_id, authorization_request="request"
    )
    stub = PlatformConnectionServiceStub(world.channel)
    changed = await stub.UpdatePlatformConnection(request, metadata=administrator.metadata)
    assert changed.connection.jwks_uri.endswith(f"/{connection_id}/jwks.json")
    assert await published_key(world, connection_id)


def signed_userinfo(provider: Provider, **altered: Any) -> None:
    """Has a provider sign its user info; a claim that is None is left out."""
    provider.claims_in_userinfo = True
    provider.userinfo = lambda claims: claims.update(
        {"iss": provider.issuer, "aud": CLIENT_ID, **altered}
    )
    provider.sign_userinfo = provider.signed


@pytest.fixture
async def signing_id(world: World, administrator: Person, provider: Provider) -> str:
    """A connection whose user info is signed."""
    return await new_platform_connection(
        world, administrator, provider.issuer, userinfo_signed_response_alg="RS256"
    )


async def test_oidcc_client_test_userinfo_signed(
    signing_id: str, provider: Provider, front_end: FrontEnd
) -> None:
    signed_userinfo(provider)
    person = signed_in(await front_end.sign_in_at(provider, signing_id))
    assert person.email == provider.person["email"]


async def test_signed_user_info_is_registered(
    world: World, administrator: Person, provider: Provider
) -> None:
    provider.registers = True
    await create(world, administrator, issuer=provider.issuer, userinfo_signed_response_alg="ES256")
    assert provider.registrations[0][1]["userinfo_signed_response_alg"] == "ES256"


CLAIMS: list[dict[str, Any]] = [
    {"iss": "https://other.example"},
    {"iss": None},
    {"aud": "other"},
    {"aud": None},
    {"sub": "other"},
    {"exp": 1},
]


@pytest.mark.parametrize("altered", CLAIMS, ids=str)
async def test_signed_user_info_of_or_for_somebody_else_is_refused(
    altered: dict[str, Any],
    signing_id: str,
    provider: Provider,
    front_end: FrontEnd,
    refused: Refused,
) -> None:
    signed_userinfo(provider, **altered)
    await refused(front_end.sign_in_at(provider, signing_id), *WRONG)


def _by_another_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, KEYS[1].private, "RS256", headers={"kid": "one"})


def _by_the_public_key(claims: dict[str, Any]) -> str:
    import base64
    import hashlib
    import hmac
    import json

    parts = [{"alg": "HS256", "kid": "one"}, claims]
    text = b".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts
    )
    digest = hmac.digest(KEYS[0].public_pem, text, hashlib.sha256)
    return (text + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()


def _by_another_algorithm(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, KEYS[0].private, "PS256", headers={"kid": "one"})


@pytest.mark.parametrize(
    "sign", [unsigned, _by_another_key, _by_the_public_key, _by_another_algorithm]
)
async def test_user_info_with_a_wrong_signature_is_refused(
    sign: Any, signing_id: str, provider: Provider, front_end: FrontEnd, refused: Refused
) -> None:
    signed_userinfo(provider)
    provider.sign_userinfo = sign
    await refused(front_end.sign_in_at(provider, signing_id), *WRONG)


async def test_user_info_is_signed_where_that_was_agreed_and_only_there(
    signing_id: str,
    connection_id: str,
    provider: Provider,
    front_end: FrontEnd,
    refused: Refused,
) -> None:
    provider.claims_in_userinfo = True
    await refused(front_end.sign_in_at(provider, signing_id), *WRONG)
    signed_userinfo(provider)
    await refused(front_end.sign_in_at(provider, connection_id), *WRONG)
