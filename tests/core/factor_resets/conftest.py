"""Administrators, and somebody who has lost their app."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from server.features.factor_resets.due_resets import DueResets
from tests.core.factors.conftest import protected as protected
from tests.core.users.conftest import administrator as administrator
from tests.core.users.conftest import appoint
from tests.core.world import Person, World


@pytest.fixture
async def colleague(world: World, administrator: Person) -> AsyncIterator[Person]:
    """Another administrator."""
    person = await world.new_person()
    await appoint(world, person)
    yield person
    async with world.engine.begin() as connection:
        await connection.execute(text("delete from factor_resets"))


@pytest.fixture
def due_resets(world: World) -> DueResets:
    """The job beside the core."""
    return world.provided.get(DueResets)
