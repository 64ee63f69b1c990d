"""Applications that come by themselves, as the tests of registration and of documents see them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from aiohttp import web
from portico.applications.v1 import application_service_pb2 as applications
from portico.applications.v1 import registration_service_pb2 as pb
from portico.applications.v1.application_pb2 import Application
from portico.applications.v1.application_service_pb2_grpc import ApplicationServiceStub
from portico.applications.v1.registration_service_pb2_grpc import (
    RegistrationPolicyServiceStub,
    RegistrationServiceStub,
)

from tests.core.conftest import running
from tests.core.oauth.conftest import App
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer

INTERNAL = bearer(INTERNAL_TOKEN)
LOOPBACK = "http://127.0.0.1:4711/callback"
POLICY = ("openid", "email", "offline_access", "projects:read", "organization:read")
# What an MCP client sends.
MCP_CLIENT: dict[str, Any] = {
    "client_name": "A client",
    "redirect_uris": [LOOPBACK],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}


@dataclass(frozen=True)
class Registry:
    """The registration endpoint, and the organization that takes those who name none."""

    world: World
    owner: Person
    organization_id: str

    @property
    def stub(self) -> RegistrationServiceStub:
        return RegistrationServiceStub(self.world.channel)

    @property
    def policies(self) -> RegistrationPolicyServiceStub:
        return RegistrationPolicyServiceStub(self.world.channel)

    async def allow(self, registration: str = "open", **fields: Any) -> pb.RegistrationPolicy:
        """The owner sets the policy."""
        values = {"scopes": POLICY, "documents": "open", "max_applications": 1000, **fields}
        answer = await self.policies.UpdateRegistrationPolicy(
            pb.UpdateRegistrationPolicyRequest(
                organization_id=self.organization_id, registration=registration, **values
            ),
            metadata=self.owner.metadata,
        )
        return answer.policy

    async def initial_token(self) -> str:
        request = pb.RotateInitialAccessTokenRequest(organization_id=self.organization_id)
        answer = await self.policies.RotateInitialAccessToken(request, metadata=self.owner.metadata)
        return str(answer.initial_access_token)

    async def post(self, text: str, token: str = "") -> pb.RegisterClientResponse:
        request = pb.RegisterClientRequest(metadata=text, initial_access_token=token)
        return await self.stub.RegisterClient(request, metadata=INTERNAL)

    async def register(self, token: str = "", **changes: Any) -> Registered:
        """An application registers itself, as an MCP client does but for what is given."""
        metadata = {name: value for name, value in (MCP_CLIENT | changes).items() if value != ""}
        answer = await self.post(json.dumps(metadata), token)
        return Registered(self, json.loads(answer.registration), answer.registration_access_token)

    async def listed(self) -> list[Application]:
        """The applications as the owner sees them."""
        answer = await ApplicationServiceStub(self.world.channel).ListApplications(
            applications.ListApplicationsRequest(organization_id=self.organization_id, limit=100),
            metadata=self.owner.metadata,
        )
        return list(answer.applications)

    async def set_enabled(self, application_id: str, enabled: bool) -> None:
        await ApplicationServiceStub(self.world.channel).UpdateApplication(
            applications.UpdateApplicationRequest(application_id=application_id, enabled=enabled),
            metadata=self.owner.metadata,
        )

    def app(self, client_id: str, redirect_uri: str = LOOPBACK, secret: str = "") -> App:
        """A client at the endpoints of the OAuth server."""
        return App(self.world, client_id, secret, redirect_uri)


@dataclass(frozen=True)
class Registered:
    """An application that has registered itself."""

    registry: Registry
    information: dict[str, Any]
    token: str

    @property
    def client_id(self) -> str:
        return str(self.information["client_id"])

    @property
    def app(self) -> App:
        secret = str(self.information.get("client_secret", ""))
        made = self.registry.app(self.client_id, self.information["redirect_uris"][0], secret)
        return replace(made, method=self.information["token_endpoint_auth_method"])

    async def read(self, token: str | None = None) -> dict[str, Any]:
        request = pb.ReadClientRequest(
            client_id=self.client_id, registration_access_token=token or self.token
        )
        answer = await self.registry.stub.ReadClient(request, metadata=INTERNAL)
        return dict(json.loads(answer.registration))

    async def update(self, token: str | None = None, **metadata: Any) -> dict[str, Any]:
        request = pb.UpdateClientRequest(
            client_id=self.client_id,
            registration_access_token=token or self.token,
            metadata=json.dumps({"client_id": self.client_id, **MCP_CLIENT, **metadata}),
        )
        answer = await self.registry.stub.UpdateClient(request, metadata=INTERNAL)
        return dict(json.loads(answer.registration))

    async def delete(self, token: str | None = None) -> None:
        request = pb.DeleteClientRequest(
            client_id=self.client_id, registration_access_token=token or self.token
        )
        await self.registry.stub.DeleteClient(request, metadata=INTERNAL)


@asynccontextmanager
async def open_registry(
    world: World, database_url: str, valkey_url: str
) -> AsyncIterator[Registry]:
    """A core that names an organization of its database for those who name none."""
    owner = await world.new_person()
    organization_id = await world.new_organization(owner)
    async with running(
        "pygrpc-native",
        database_url,
        valkey_url,
        registration_organization=UUID(organization_id),
    ) as other:
        yield Registry(other, owner, organization_id)


@dataclass
class DocumentServer:
    """Publishes documents of clients, as long as it is told to."""

    base: str = ""
    documents: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    asked: int = 0
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def publish(self, name: str, **changes: Any) -> str:
        """Publishes a document; gives its address."""
        url = f"{self.base}/{name}"
        document = {"client_id": url, **MCP_CLIENT, **changes}
        self.documents[name] = {k: v for k, v in document.items() if v is not None}
        return url

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        found = self.documents.get(request.match_info["name"])
        if found is None:
            return web.Response(status=404)
        text = found if isinstance(found, str) else json.dumps(found)
        return web.Response(
            status=self.status, text=text, headers=self.headers, content_type=self.content_type
        )


@asynccontextmanager
async def document_server() -> AsyncIterator[DocumentServer]:
    """A server on a free port."""
    server = DocumentServer()
    application = web.Application()
    application.router.add_get("/{name}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        server.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
