"""What the tests of events share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from portico.events.v1 import event_service_pb2 as pb
from portico.events.v1.event_service_pb2_grpc import EventServiceStub
from portico.projects.v1 import project_service_pb2 as projects
from redis.asyncio import Redis
from sqlalchemy import text

from portico_kit.edge_state.event_feed import EventAnnouncer
from portico_kit.ids import new_id
from portico_kit.storage.base import sessions
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from tests.core.world import Person, World

STEP_SECONDS = 10.0


async def send_nothing(_due: object) -> None:
    """Events only get their numbers here."""


@dataclass
class EventClient:
    """The events of an organization, as its owner sees them and a worker numbers them."""

    world: World
    organization_id: str
    owner: Person
    fan_out: EventFanOut
    names: list[str] = field(default_factory=list)

    @property
    def stub(self) -> EventServiceStub:
        return EventServiceStub(self.world.channel)

    async def happen(self, count: int = 1) -> None:
        """So many projects are created, and a worker sees it."""
        for _ in range(count):
            name = f"Project {new_id()}"
            self.names.append(name)
            request = projects.CreateProjectRequest(organization_id=self.organization_id, name=name)
            await self.world.projects.CreateProject(request, metadata=self.owner.metadata)
        await self.fan_out()

    async def list(self, metadata: Any = None, **fields: Any) -> pb.ListEventsResponse:
        """A page of the events."""
        request = pb.ListEventsRequest(organization_id=self.organization_id, **fields)
        return await self.stub.ListEvents(request, metadata=metadata or self.owner.metadata)

    async def save(self, name: str, position: str, metadata: Any = None) -> pb.EventCursor:
        """Saves how far somebody has come."""
        request = pb.SaveEventCursorRequest(
            organization_id=self.organization_id, name=name, position=position
        )
        answer = await self.stub.SaveEventCursor(request, metadata=metadata or self.owner.metadata)
        return answer.cursor

    async def age(self, sequence: int, created_at: datetime) -> None:
        """Lets the events up to a number have happened at a time."""
        async with self.world.engine.begin() as connection:
            await connection.execute(
                text(
                    "update events set created_at = :at"
                    " where organization_id = :id and sequence <= :last"
                ),
                {"at": created_at, "id": self.organization_id, "last": sequence},
            )

    def streamed(self, metadata: Any = None, **fields: Any) -> Any:
        """The call that streams the events."""
        request = pb.StreamEventsRequest(organization_id=self.organization_id, **fields)
        return self.stub.StreamEvents(request, metadata=metadata or self.owner.metadata)

    @asynccontextmanager
    async def streaming(self, metadata: Any = None, **fields: Any) -> AsyncIterator[Stream]:
        """An open stream."""
        call = self.streamed(metadata, **fields)
        try:
            yield Stream(call)
        finally:
            call.cancel()


@dataclass(frozen=True)
class Stream:
    """What comes of a stream."""

    call: Any

    async def step(self) -> pb.StreamEventsResponse:
        """The next message."""
        async with asyncio.timeout(STEP_SECONDS):
            found: pb.StreamEventsResponse = await self.call.read()
        return found

    async def names(self, count: int) -> list[str]:
        """What so many next events are about."""
        return [str((await self.step()).event.data["name"]) for _ in range(count)]


@pytest.fixture
async def event_client(
    world: World, owner: Person, organization_id: str, valkey_url: str
) -> AsyncIterator[EventClient]:
    """The events of the owner's organization; its creation was the first."""
    async with Redis.from_url(valkey_url) as redis:
        announcer = EventAnnouncer(redis)
        fan_out = EventFanOut(
            sessions(world.engine), world.clock, send_nothing, announce=announcer.announce
        )
        await fan_out()
        yield EventClient(world, organization_id, owner, fan_out)
