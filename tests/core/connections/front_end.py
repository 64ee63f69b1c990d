"""A front end with a browser: it begins sign-ins and completes them, as the hosted pages do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from portico.connections.v1 import connection_service_pb2 as connections
from portico.connections.v1 import federated_sign_in_service_pb2 as pb
from portico.connections.v1 import identity_service_pb2 as identities
from portico.connections.v1 import platform_connection_service_pb2 as platform
from portico.connections.v1.connection_service_pb2_grpc import ConnectionServiceStub
from portico.connections.v1.federated_sign_in_service_pb2_grpc import FederatedSignInServiceStub
from portico.connections.v1.identity_service_pb2_grpc import IdentityServiceStub
from portico.connections.v1.platform_connection_service_pb2_grpc import (
    PlatformConnectionServiceStub,
)

from tests.core.connections.provider import CLIENT_ID, CLIENT_SECRET, GitHub, Provider
from tests.core.world import Person, World, new_email


@dataclass
class FrontEnd:
    """One browser."""

    world: World
    browser_token: str = ""
    device_token: str = ""

    @property
    def sign_in(self) -> FederatedSignInServiceStub:
        return FederatedSignInServiceStub(self.world.channel)

    async def begin(self, connection_id: str, **fields: Any) -> str:
        """Begins a sign-in, and gives where the browser is sent."""
        request = pb.BeginFederatedSignInRequest(
            connection_id=connection_id, browser_token=self.browser_token, **fields
        )
        answer = await self.sign_in.BeginFederatedSignIn(request)
        self.browser_token = answer.browser_token
        return answer.authorization_url

    async def complete(self, brought: dict[str, str]) -> pb.CompleteFederatedSignInResponse:
        """Completes what the provider has sent the browser back with."""
        request = pb.CompleteFederatedSignInRequest(
            state=brought.get("state", ""),
            code=brought.get("code", ""),
            iss=brought.get("iss", ""),
            error=brought.get("error", ""),
            browser_token=self.browser_token,
            device_token=self.device_token,
        )
        answer = await self.sign_in.CompleteFederatedSignIn(request)
        self.device_token = answer.device_token or self.device_token
        return answer

    async def sign_in_at(
        self, provider: Provider | GitHub, connection_id: str
    ) -> pb.CompleteFederatedSignInResponse:
        """A whole sign-in."""
        return await self.complete(provider.authorize(await self.begin(connection_id)))

    async def link(
        self, provider: Provider | GitHub, connection_id: str, person: Person
    ) -> pb.CompleteFederatedSignInResponse:
        """Links an account at a provider to that of somebody who is signed in."""
        request = identities.BeginLinkRequest(
            connection_id=connection_id, browser_token=self.browser_token
        )
        stub = IdentityServiceStub(self.world.channel)
        answer = await stub.BeginLink(request, metadata=person.metadata)
        self.browser_token = answer.browser_token
        return await self.complete(provider.authorize(answer.authorization_url))

    async def begin_step_up(self, person: Person, connection_id: str = "") -> str:
        """Begins to confirm who somebody is, and gives where the browser is sent."""
        request = pb.BeginFederatedStepUpRequest(
            connection_id=connection_id, browser_token=self.browser_token, return_to="/account"
        )
        answer = await self.sign_in.BeginFederatedStepUp(request, metadata=person.metadata)
        self.browser_token = answer.browser_token
        return answer.authorization_url


def signed_in(answer: pb.CompleteFederatedSignInResponse) -> Person:
    """Who has signed in."""
    assert answer.access_token
    return Person(answer.user.id, answer.user.email, answer.access_token, answer.refresh_token)


@dataclass
class Somebody:
    """Somebody with an account at a provider, and none here."""

    email: str = field(default_factory=new_email)
    sub: str = field(default_factory=lambda: uuid4().hex)

    def claims(self, **more: Any) -> dict[str, Any]:
        found = {"sub": self.sub, "email": self.email, "email_verified": True, "name": "Grace"}
        return {name: value for name, value in {**found, **more}.items() if value is not None}


async def new_platform_connection(
    world: World, administrator: Person, issuer: str, **fields: Any
) -> str:
    """A connection of the platform that is trusted for example.com."""
    values: dict[str, Any] = {
        "name": "Example",
        "preset": "oidc",
        "issuer": issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "trusted_domains": ["example.com"],
        **fields,
    }
    request = platform.CreatePlatformConnectionRequest(**values)
    stub = PlatformConnectionServiceStub(world.channel)
    answer = await stub.CreatePlatformConnection(request, metadata=administrator.metadata)
    return answer.connection.id


async def new_connection(
    world: World, owner: Person, organization_id: str, issuer: str, **fields: Any
) -> str:
    """A connection of an organization."""
    values: dict[str, Any] = {
        "name": "Company",
        "preset": "oidc",
        "issuer": issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        **fields,
    }
    request = connections.CreateConnectionRequest(organization_id=organization_id, **values)
    stub = ConnectionServiceStub(world.channel)
    answer = await stub.CreateConnection(request, metadata=owner.metadata)
    return answer.connection.id
