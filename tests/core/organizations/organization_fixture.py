"""An organization with one of everything, and a valid request for every method about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from portico.applications.v1 import application_service_pb2 as applications
from portico.applications.v1.application_service_pb2_grpc import ApplicationServiceStub
from portico.connections.v1 import connection_service_pb2 as connections
from portico.connections.v1.connection_service_pb2_grpc import ConnectionServiceStub
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.projects.v1 import project_service_pb2 as projects
from portico.webhooks.v1 import replay_service_pb2 as replays
from portico.webhooks.v1 import webhook_service_pb2 as webhooks
from portico.webhooks.v1.replay_service_pb2_grpc import ReplayServiceStub

from portico_contract import Method, methods, services
from tests.core.domains.organization_domains import add, new_name
from tests.core.world import Person, World, new_email

# Every method that asks for a permission in an organization.
GUARDED = {
    method.name: method
    for service in services()
    for method in methods(service)
    if method.access == "permission"
}


@dataclass(frozen=True)
class OrganizationFixture:
    """What an organization has, by the names that requests give it."""

    ids: dict[str, str]

    def request(self, method: Method) -> Message:
        """A valid request of a method, about what this organization has."""
        values: dict[str, Any] = {
            "email": new_email(),
            "event_types": ["key.created"],
            "name": "Anything",
            "role": "viewer",
            "scopes": ["organization:read"],
            "url": "https://example.com/hook",
            "preset": "github",
            "client_id": "anything",
            "client_secret": "anything",
            "kind": "machine",
            "registration": "token",
            # Beyond the last event, which a stream says at once.
            "after": "999999",
            "position": "0",
            **self.ids,
        }
        if method.name == "CreateDomain":
            values["name"] = new_name()
        if method.name == "CreateReplay":
            values["status"] = "failed"
        wanted = set(method.request.DESCRIPTOR.fields_by_name) & set(values)
        return method.request(**{name: values[name] for name in wanted})


async def make_organization_fixture(world: World, owner: Person) -> OrganizationFixture:
    """An organization of the owner with one of everything that a request can name."""
    organization_id = await world.new_organization(owner)
    member = await world.new_member(organization_id, owner, "viewer")
    key = await world.new_key(organization_id, owner)
    webhook = await world.webhooks.CreateWebhook(
        webhooks.CreateWebhookRequest(
            organization_id=organization_id,
            url="https://example.com/hook",
            event_types=["key.revoked"],
        ),
        metadata=owner.metadata,
    )
    test = await world.webhooks.TestWebhook(
        webhooks.TestWebhookRequest(webhook_id=webhook.webhook.id), metadata=owner.metadata
    )
    replay = await ReplayServiceStub(world.channel).CreateReplay(
        replays.CreateReplayRequest(webhook_id=webhook.webhook.id, status="failed"),
        metadata=owner.metadata,
    )
    invitation = await world.organizations.CreateInvitation(
        organizations.CreateInvitationRequest(
            organization_id=organization_id, email=new_email(), role="viewer"
        ),
        metadata=owner.metadata,
    )
    project = await world.projects.CreateProject(
        projects.CreateProjectRequest(organization_id=organization_id, name="Website"),
        metadata=owner.metadata,
    )
    connection = await ConnectionServiceStub(world.channel).CreateConnection(
        connections.CreateConnectionRequest(
            organization_id=organization_id,
            name="GitHub",
            preset="github",
            client_id="anything",
            client_secret="anything",
        ),
        metadata=owner.metadata,
    )
    application = await ApplicationServiceStub(world.channel).CreateApplication(
        applications.CreateApplicationRequest(
            organization_id=organization_id,
            name="A program",
            kind="machine",
            scopes=["organization:read"],
        ),
        metadata=owner.metadata,
    )
    domain = await add(world, owner, organization_id, new_name())
    return OrganizationFixture(
        {
            "organization_id": organization_id,
            "user_id": member.id,
            "api_key_id": key.api_key.id,
            "webhook_id": webhook.webhook.id,
            "delivery_id": test.delivery.id,
            "replay_id": replay.replay.id,
            "invitation_id": invitation.invitation.id,
            "project_id": project.project.id,
            "application_id": application.application.id,
            "secret_id": application.application.secrets[0].id,
            "connection_id": connection.connection.id,
            "domain_id": domain.id,
            "target_organization_id": await world.new_organization(owner),
        }
    )


async def invoke(world: World, method: Method, request: Message, person: Person) -> Any:
    """Calls a method by its path; of a stream it gives the first message."""
    opened: Any = world.channel.unary_stream if method.streaming else world.channel.unary_unary
    call = opened(
        method.path,
        request_serializer=method.request.SerializeToString,
        response_deserializer=method.response.FromString,
    )(request, metadata=person.metadata)
    if not method.streaming:
        return await call
    try:
        return await call.read()
    finally:
        call.cancel()
