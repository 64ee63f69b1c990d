"""A core whose operator has named an organization, for the tests that import its fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.common.records import Event
from tests.core.conftest import ENGINES, running
from tests.core.world import Person, World


@dataclass(frozen=True)
class Operator:
    """The organization whose webhooks may receive what happens to people, and its owner."""

    owner: Person
    organization_id: str


@pytest.fixture(scope="session")
async def operator(database_url: str, valkey_url: str) -> Operator:
    """Made before the core that is told of it starts."""
    async with running(ENGINES[0], database_url, valkey_url) as before:
        owner = await before.new_person()
        return Operator(owner, await before.new_organization(owner))


@pytest.fixture(scope="session")
async def world(
    request: pytest.FixtureRequest, operator: Operator, database_url: str, valkey_url: str
) -> AsyncIterator[World]:
    """A core that knows the operator's organization."""
    named = UUID(operator.organization_id)
    async with running(
        request.param, database_url, valkey_url, operator_organization=named
    ) as world:
        yield world


async def events_about(world: World, user_id: str) -> list[Event]:
    """The events about a person and their sessions, in whatever organization, oldest first."""
    about = or_(Event.data["userId"].astext == user_id, Event.data["id"].astext == user_id)
    query = select(Event).where(Event.platform, about).order_by(Event.id)
    async with AsyncSession(world.engine) as db:
        return list(await db.scalars(query))


async def types_about(world: World, user_id: str) -> list[str]:
    """The types of the events about a person and their sessions, oldest first."""
    return [event.type for event in await events_about(world, user_id)]


async def ends(world: World, user_id: str) -> dict[str, list[Any]]:
    """Why each of a person's sessions ended, once for each event."""
    found: dict[str, list[Any]] = {}
    for event in await events_about(world, user_id):
        if event.type == "session.ended":
            found.setdefault(event.data["id"], []).append(event.data["endReason"])
    return found
