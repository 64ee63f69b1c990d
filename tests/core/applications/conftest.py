"""What the tests of applications share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from portico.applications.v1 import application_service_pb2 as pb
from portico.applications.v1.application_pb2 import Application
from portico.applications.v1.application_service_pb2_grpc import ApplicationServiceStub

from server.features.applications.facade import Applications, Client, ClientAuthentication
from tests.core.world import Person, World

REDIRECT = "https://app.example.com/callback"
ISSUER = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class ApplicationClient:
    """The applications of an organization, as its owner sees them, and the token endpoint."""

    world: World
    organization_id: str
    owner: Person

    @property
    def stub(self) -> ApplicationServiceStub:
        return ApplicationServiceStub(self.world.channel)

    @property
    def facade(self) -> Applications:
        """What other features ask."""
        return self.world.provided.get(Applications)

    async def create(
        self, kind: str = "web", *, by: Person | None = None, **fields: Any
    ) -> pb.CreateApplicationResponse:
        """A new application, by default the owner's, that signs people in."""
        request = self.described(kind, **fields)
        return await self.stub.CreateApplication(request, metadata=(by or self.owner).metadata)

    def described(self, kind: str, **fields: Any) -> pb.CreateApplicationRequest:
        """A request that is right but for what is given."""
        if kind in ("machine", "device"):
            values: dict[str, Any] = {"scopes": ["projects:read"]}
        else:
            values = {"scopes": ["openid", "projects:read"], "redirect_uris": [REDIRECT]}
        values = {"organization_id": self.organization_id, "name": "an application", **values}
        return pb.CreateApplicationRequest(kind=kind, **{**values, **fields})

    async def get(self, application_id: str) -> Application:
        """The application, as the owner sees it."""
        request = pb.GetApplicationRequest(application_id=application_id)
        answer = await self.stub.GetApplication(request, metadata=self.owner.metadata)
        return answer.application

    async def update(
        self, application_id: str, *, by: Person | None = None, **fields: Any
    ) -> Application:
        """Somebody, by default the owner, changes an application."""
        request = pb.UpdateApplicationRequest(application_id=application_id, **fields)
        metadata = (by or self.owner).metadata
        return (await self.stub.UpdateApplication(request, metadata=metadata)).application

    async def delete(self, application_id: str, *, by: Person | None = None) -> None:
        """Somebody, by default the owner, deletes an application."""
        request = pb.DeleteApplicationRequest(application_id=application_id)
        await self.stub.DeleteApplication(request, metadata=(by or self.owner).metadata)

    async def rotate(
        self, application_id: str, overlap_seconds: int = 0, *, by: Person | None = None
    ) -> pb.RotateApplicationSecretResponse:
        """Somebody, by default the owner, replaces a secret."""
        request = pb.RotateApplicationSecretRequest(
            application_id=application_id, overlap_seconds=overlap_seconds
        )
        return await self.stub.RotateApplicationSecret(
            request, metadata=(by or self.owner).metadata
        )

    async def revoke_secret(self, application_id: str, secret_id: str) -> Application:
        """The owner takes a secret away."""
        request = pb.RevokeApplicationSecretRequest(
            application_id=application_id, secret_id=secret_id
        )
        answer = await self.stub.RevokeApplicationSecret(request, metadata=self.owner.metadata)
        return answer.application

    async def authenticate(
        self, client_id: str, secret: str = "", method: Any = "client_secret_basic", **more: Any
    ) -> Client:
        """What the token endpoint asks."""
        return await self.facade.authenticate(
            ClientAuthentication(
                client_id, method, secret, audiences=(ISSUER, f"{ISSUER}/oauth/token"), **more
            )
        )


@pytest.fixture
async def application_client(
    world: World, owner: Person, organization_id: str
) -> ApplicationClient:
    """The applications of the owner's organization."""
    return ApplicationClient(world, organization_id, owner)
