"""Administrators with an app, and somebody who has lost theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from server.features.factor_resets.due_resets import DueResets
from tests.core.factors.conftest import enroll_app
from tests.core.factors.conftest import protected as protected
from tests.core.users.conftest import administrator as administrator_without_factor
from tests.core.users.conftest import appoint
from tests.core.world import Person, World

__all__ = ["administrator_without_factor"]


@pytest.fixture
async def administrator(world: World, administrator_without_factor: Person) -> Person:
    """An administrator who has just shown a second factor."""
    await enroll_app(world, administrator_without_factor)
    return administrator_without_factor


@pytest.fixture
async def colleague(world: World, administrator: Person) -> AsyncIterator[Person]:
    """Another one."""
    person = await world.new_person()
    await appoint(world, person)
    await enroll_app(world, person)
    yield person
    async with world.engine.begin() as connection:
        await connection.execute(text("delete from factor_resets"))


@pytest.fixture
def due_resets(world: World) -> DueResets:
    """The job beside the core."""
    return world.provided.get(DueResets)
