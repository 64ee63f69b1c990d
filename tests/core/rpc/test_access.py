"""Who may call what: no credential, a bad one, or one of another kind opens nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.message import Message
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as users

from portico_contract import Method, methods, services
from tests.core.conftest import Refused
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer
from tests.support.cells import Cells

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
GUARDED = [
    method for service in services() for method in methods(service) if method.access != "public"
]


def call(
    world: World, method: Method, metadata: tuple[tuple[str, str], ...] = ()
) -> Awaitable[Message]:
    invoke: Callable[..., Awaitable[Message]] = world.channel.unary_unary(
        method.path,
        request_serializer=method.request.SerializeToString,
        response_deserializer=method.response.FromString,
    )
    return invoke(method.request(), metadata=metadata)


async def test_no_guarded_method_answers_without_a_credential(
    world: World, refused: Refused
) -> None:
    cells = Cells()
    for method in GUARDED:
        with cells.cell(method.path):
            await refused(call(world, method), UNAUTHENTICATED, "UNAUTHENTICATED")
    cells.hold()


async def test_forged_headers_are_no_credential(
    world: World, somebody: Person, refused: Refused
) -> None:
    forged = (("x-auth-subject", somebody.id), ("x-auth-tier", "enterprise"))
    cells = Cells()
    for method in GUARDED:
        with cells.cell(method.path):
            await refused(call(world, method, forged), UNAUTHENTICATED, "UNAUTHENTICATED")
    cells.hold()


def unsigned(token: str) -> str:
    """The same claims with `alg: none` and no signature (RFC 8725, section 2.1)."""
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode())
    return f"{head.decode().rstrip('=')}.{token.split('.')[1]}."


def signed_by_another(token: str) -> str:
    """The same claims, signed with a key of somebody else under our key's name."""
    header, claims = jwt.get_unverified_header(token), read(token)
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(claims, key, "ES256", headers={"kid": header["kid"]})


def signed_with_the_public_name(token: str) -> str:
    """The same claims, signed as HMAC, which a careless verifier would check with a public key."""
    header = jwt.get_unverified_header(token)
    return jwt.encode(read(token), header["kid"] * 4, "HS256", headers={"kid": header["kid"]})


def changed(token: str) -> str:
    """Other claims under the same signature."""
    head, _, signature = token.split(".")
    body = base64.urlsafe_b64encode(json.dumps(read(token) | {"tier": "enterprise"}).encode())
    return f"{head}.{body.decode().rstrip('=')}.{signature}"


def read(token: str) -> dict[str, object]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        signed_by_another,
        signed_with_the_public_name,
        changed,
        lambda _: "",
        lambda _: "not a token",
        lambda _: "a.b.c",
        lambda token: token + "x",
        lambda _: INTERNAL_TOKEN,
    ],
)
async def test_a_token_that_is_not_ours_is_refused(
    world: World, somebody: Person, forge: Callable[[str], str], refused: Refused
) -> None:
    attempt = world.users.GetMe(users.GetMeRequest(), metadata=bearer(forge(somebody.access_token)))
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_an_expired_token_is_told_so(
    world: World, somebody: Person, refused: Refused
) -> None:
    with world.clock.later(timedelta(minutes=15, seconds=1)):
        attempt = world.users.GetMe(users.GetMeRequest(), metadata=somebody.metadata)
        await refused(attempt, UNAUTHENTICATED, "TOKEN_EXPIRED")


async def test_an_api_key_is_no_person(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    key = await world.new_key(organization_id, owner)
    attempt = world.users.GetMe(users.GetMeRequest(), metadata=await world.key_metadata(key.secret))
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_an_api_key_reads_its_own_organization_and_no_other(
    world: World, owner: Person, organization_id: str, stranger: Person, refused: Refused
) -> None:
    key = await world.new_key(organization_id, owner)
    metadata = await world.key_metadata(key.secret)
    own = organizations.GetOrganizationRequest(organization_id=organization_id)
    answer = await world.organizations.GetOrganization(own, metadata=metadata)
    assert answer.organization.id == organization_id
    theirs = organizations.GetOrganizationRequest(
        organization_id=await world.new_organization(stranger)
    )
    attempt = world.organizations.GetOrganization(theirs, metadata=metadata)
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
