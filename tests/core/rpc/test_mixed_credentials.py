"""Credentials that were good, or are good for something else, open nothing.

Each token here is signed with the core's own key: what is refused is what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import grpc
import jwt
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.organizations.v1 import organization_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users

from server.features.auth.signing_keys import SigningKeys
from tests.core.conftest import Refused
from tests.core.users.conftest import administrator as administrator
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
Metadata = tuple[tuple[str, str], ...]
Claims = dict[str, Any]
Alter = Callable[[Metadata], Metadata]


def token_of(metadata: Metadata) -> str:
    return dict(metadata)["authorization"].removeprefix("Bearer ")


def claims_of(metadata: Metadata) -> Claims:
    return dict(jwt.decode(token_of(metadata), options={"verify_signature": False}))


@pytest.fixture
async def sign(world: World) -> Callable[..., Metadata]:
    """Signs any claims with the core's own key."""
    signing_keys = SigningKeys(world.engine, world.secrets, world.clock)
    await signing_keys.load()
    key = signing_keys.signing_key()

    def signed(claims: Claims, **header: Any) -> Metadata:
        headers = {"kid": key.kid, **header}
        return bearer(jwt.encode(claims, key.private_key, "ES256", headers=headers))

    return signed


@pytest.fixture
async def key_metadata(world: World, owner: Person, organization_id: str) -> Metadata:
    """What the gateway sends on for a key that may read the organization."""
    key = await world.new_key(organization_id, owner)
    return await world.key_metadata(key.secret)


async def opens_nothing(
    world: World, organization_id: str, metadata: Metadata, refused: Refused
) -> None:
    """No kind of method lets it in."""
    request = pb.GetOrganizationRequest(organization_id=organization_id)
    for attempt in (
        world.organizations.GetOrganization(request, metadata=metadata),
        world.users.GetMe(users.GetMeRequest(), metadata=metadata),
        world.users.ListUsers(users.ListUsersRequest(), metadata=metadata),
        world.keys.VerifyApiKey(keys.VerifyApiKeyRequest(secret="x"), metadata=metadata),
    ):
        await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_what_is_signed_anew_without_a_change_is_good(
    world: World, owner: Person, organization_id: str, sign: Callable[..., Metadata]
) -> None:
    """So that the tests below are refused for what they change."""
    metadata = sign(claims_of(owner.metadata))
    await world.users.GetMe(users.GetMeRequest(), metadata=metadata)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "key"},
        {"aud": "portico-internal"},
        {"kind": "key", "aud": "portico"},
        {"aud": ["portico", "portico-internal"]},
        {"kind": "service"},
        {"kind": "anonymous"},
        {"kind": "robot"},
        {"kind": ""},
        {"sid": "5a9a4b1e-6a0b-4c3f-8d57-0d3c5c0e8b11"},
        {"sub": "5a9a4b1e-6a0b-4c3f-8d57-0d3c5c0e8b12"},
    ],
    ids=str,
)
async def test_a_persons_token_of_another_kind_or_audience_is_refused(
    world: World,
    owner: Person,
    organization_id: str,
    sign: Callable[..., Metadata],
    changes: Claims,
    refused: Refused,
) -> None:
    metadata = sign(claims_of(owner.metadata) | changes)
    await opens_nothing(world, organization_id, metadata, refused)


@pytest.mark.parametrize("media_type", ["at+jwt", "logout+jwt", None], ids=str)
async def test_a_persons_token_of_another_type_is_refused(
    world: World,
    owner: Person,
    organization_id: str,
    sign: Callable[..., Metadata],
    media_type: str | None,
    refused: Refused,
) -> None:
    metadata = sign(claims_of(owner.metadata), typ=media_type)
    await opens_nothing(world, organization_id, metadata, refused)


async def test_a_keys_token_is_not_a_persons_even_with_a_session(
    world: World,
    owner: Person,
    organization_id: str,
    key_metadata: Metadata,
    sign: Callable[..., Metadata],
    refused: Refused,
) -> None:
    session = {"sid": claims_of(owner.metadata)["sid"]}
    of_key = claims_of(key_metadata)
    for changes in (
        {"kind": "user"},
        {"kind": "user", "aud": "portico"},
        {"kind": "user", "aud": "portico", **session},
        {"aud": "portico"},
    ):
        await opens_nothing(world, organization_id, sign(of_key | changes), refused)


async def test_a_session_is_its_persons_alone(
    world: World,
    owner: Person,
    organization_id: str,
    stranger: Person,
    sign: Callable[..., Metadata],
    refused: Refused,
) -> None:
    theirs = claims_of(stranger.metadata)
    mixed = sign(claims_of(owner.metadata) | {"sid": theirs["sid"]})
    await opens_nothing(world, organization_id, mixed, refused)


async def test_a_key_without_the_name_of_its_secret_is_refused(
    world: World,
    organization_id: str,
    key_metadata: Metadata,
    sign: Callable[..., Metadata],
    refused: Refused,
) -> None:
    request = pb.GetOrganizationRequest(organization_id=organization_id)
    claims = claims_of(key_metadata)
    secret = claims.pop("sec")
    for changed in (claims, claims | {"sec": ""}, claims | {"sec": secret[::-1]}):
        attempt = world.organizations.GetOrganization(request, metadata=sign(changed))
        await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_the_secret_of_our_services_is_no_callers(
    world: World, organization_id: str, refused: Refused
) -> None:
    request = pb.GetOrganizationRequest(organization_id=organization_id)
    metadata = bearer(INTERNAL_TOKEN)
    for attempt in (
        world.organizations.GetOrganization(request, metadata=metadata),
        world.users.GetMe(users.GetMeRequest(), metadata=metadata),
        world.users.ListUsers(users.ListUsersRequest(), metadata=metadata),
    ):
        await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")


# Good before --------------------------------------------------------------------


async def used_up(world: World, organization_id: str, metadata: Metadata, refused: Refused) -> None:
    """A token that was verified before is refused now."""
    request = pb.GetOrganizationRequest(organization_id=organization_id)
    attempt = world.organizations.GetOrganization(request, metadata=metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.fixture
async def used(world: World, owner: Person, organization_id: str, key_metadata: Metadata) -> None:
    """Both tokens were let in once, and are remembered."""
    request = pb.GetOrganizationRequest(organization_id=organization_id)
    for metadata in (owner.metadata, key_metadata):
        await world.organizations.GetOrganization(request, metadata=metadata)


@pytest.mark.usefixtures("used")
async def test_a_person_who_is_suspended_is_refused_and_their_organizations_key_is_not(
    world: World,
    owner: Person,
    administrator: Person,
    organization_id: str,
    key_metadata: Metadata,
    refused: Refused,
) -> None:
    suspend = users.UpdateUserRequest(user_id=owner.id, status="suspended")
    await world.users.UpdateUser(suspend, metadata=administrator.metadata)
    await used_up(world, organization_id, owner.metadata, refused)
    request = pb.GetOrganizationRequest(organization_id=organization_id)
    await world.organizations.GetOrganization(request, metadata=key_metadata)


@pytest.mark.usefixtures("used")
async def test_a_session_that_has_ended_is_refused(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    await world.auth.Logout(auth.LogoutRequest(), metadata=owner.metadata)
    await used_up(world, organization_id, owner.metadata, refused)


@pytest.mark.usefixtures("used")
async def test_a_key_of_a_deleted_organization_is_refused(
    world: World, owner: Person, organization_id: str, key_metadata: Metadata, refused: Refused
) -> None:
    request = pb.DeleteOrganizationRequest(organization_id=organization_id)
    await world.organizations.DeleteOrganization(request, metadata=owner.metadata)
    await used_up(world, organization_id, key_metadata, refused)


@pytest.mark.usefixtures("used")
async def test_a_key_that_is_revoked_is_refused(
    world: World, owner: Person, organization_id: str, key_metadata: Metadata, refused: Refused
) -> None:
    key_id = claims_of(key_metadata)["sub"]
    request = keys.RevokeApiKeyRequest(api_key_id=key_id)
    await world.keys.RevokeApiKey(request, metadata=owner.metadata)
    await used_up(world, organization_id, key_metadata, refused)


@pytest.mark.usefixtures("used")
async def test_a_secret_that_was_replaced_is_refused(
    world: World, owner: Person, organization_id: str, key_metadata: Metadata, refused: Refused
) -> None:
    key_id = claims_of(key_metadata)["sub"]
    request = keys.RotateApiKeyRequest(api_key_id=key_id)
    await world.keys.RotateApiKey(request, metadata=owner.metadata)
    await used_up(world, organization_id, key_metadata, refused)


async def test_no_kind_reaches_another_tenant(
    world: World,
    owner: Person,
    stranger: Person,
    key_metadata: Metadata,
    sign: Callable[..., Metadata],
    refused: Refused,
) -> None:
    """Whatever organization the token names as its active one."""
    theirs = await world.new_organization(stranger)
    request = pb.GetOrganizationRequest(organization_id=theirs)
    for metadata in (owner.metadata, key_metadata):
        for carried in (metadata, sign(claims_of(metadata) | {"org": theirs})):
            attempt = world.organizations.GetOrganization(request, metadata=carried)
            await refused(attempt, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert UUID(theirs)
