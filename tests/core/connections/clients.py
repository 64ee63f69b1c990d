"""Connections by every field of theirs, the door for request objects, and the worker beside it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from portico.connections.v1 import connection_pb2
from portico.connections.v1 import federated_sign_in_service_pb2 as sign_in
from portico.connections.v1 import platform_connection_service_pb2 as platform
from portico.connections.v1.federated_sign_in_service_pb2_grpc import FederatedSignInServiceStub
from portico.connections.v1.platform_connection_service_pb2_grpc import (
    PlatformConnectionServiceStub,
)

from portico_kit.storage.base import sessions
from server.common.outbound_addresses import AddressPolicy
from server.features.connections.registration_upkeep import RegistrationUpkeep
from server.features.emails.facade import Mailer
from tests.core.connections.provider import Provider
from tests.core.world import Person, World

PUBLIC_URL = "http://127.0.0.1:8080"
REQUEST_OBJECTS = f"{PUBLIC_URL}/sign-in/request-objects/"


async def create(world: World, administrator: Person, **fields: Any) -> connection_pb2.Connection:
    """A connection of the platform that is trusted for example.com, with no client of its own."""
    values = {"name": "Example", "preset": "oidc", "trusted_domains": ["example.com"], **fields}
    stub = PlatformConnectionServiceStub(world.channel)
    request = platform.CreatePlatformConnectionRequest(**values)
    return (
        await stub.CreatePlatformConnection(request, metadata=administrator.metadata)
    ).connection


async def delete(world: World, administrator: Person, connection_id: str) -> None:
    request = platform.DeletePlatformConnectionRequest(connection_id=connection_id)
    stub = PlatformConnectionServiceStub(world.channel)
    await stub.DeletePlatformConnection(request, metadata=administrator.metadata)


def upkeep(world: World) -> RegistrationUpkeep:
    """What the workers do for registrations."""
    return RegistrationUpkeep(
        sessions=sessions(world.engine),
        secrets=world.secrets,
        mailer=Mailer(world.secrets),
        clock=world.clock,
        policy=AddressPolicy(allow_loopback=True),
        public_url=PUBLIC_URL,
        product_name="Portico",
    )


async def published_key(world: World, connection_id: str) -> jwt.PyJWK:
    """The key of a connection, as its provider finds it at jwks_uri."""
    request = sign_in.GetConnectionKeysRequest(connection_id=connection_id)
    answer = await FederatedSignInServiceStub(world.channel).GetConnectionKeys(request)
    (key,) = answer.keys
    members = {field.name: value for field, value in key.ListFields()}
    return jwt.PyJWK(members, "RS256")


async def request_object(world: World, url: str) -> str:
    """The request object of an authorization request, by value or fetched from its address."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    # Nothing else stands beside it: neither the state nor the nonce.
    assert set(query) <= {"client_id", "response_type", "scope", "request", "request_uri"}
    if "request" in query:
        return query["request"]
    name = query["request_uri"].removeprefix(REQUEST_OBJECTS)
    stub = FederatedSignInServiceStub(world.channel)
    found = await stub.GetRequestObject(sign_in.GetRequestObjectRequest(request_object_id=name))
    return found.request_object


def authorize(provider: Provider, claims: dict[str, Any]) -> dict[str, str]:
    """Has the provider go on with what a request object asks for."""
    return provider.authorize(f"{provider.base}/authorize?{urlencode(claims)}")
