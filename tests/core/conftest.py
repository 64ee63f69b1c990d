"""A running core for the tests: the real pipeline on a real database.

What an engine could do otherwise, the pipeline's promises, is tried on both of them; what a
feature promises does not depend on it.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import grpc
import pytest
from grpc import aio
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from edge.ratelimit.main import ratelimit
from edge.settings import RateLimitSettings
from portico_kit.credentials import Authenticator
from portico_kit.rpc.server import pipeline_server
from portico_kit.testing.clocks import OffsetClock
from server.common.records import AuditEntry
from server.core import build
from server.features.domains.dns import DnsTextRecords, TextRecords
from server.features.webhooks.resolution import Resolver
from server.settings import Settings
from tests.core.world import (
    BCRYPT_ROUNDS,
    INTERNAL_TOKEN,
    KnownNames,
    Person,
    RecordingNotifier,
    Refusal,
    World,
    refusal,
)
from tests.stack import PostgresServer
from tests.support.event_schemas import faults_of_events
from tests.support.name_server import name_server

# One for both engines: they share the database, and with it the sealed signing key.
SECRET_KEY = SecretStr(base64.b64encode(os.urandom(32)).decode())


@pytest.fixture(scope="session")
def database_url(postgres: PostgresServer) -> Iterator[str]:
    """One migrated database for all of the core's tests: each makes people of its own.

    What they have emitted is what the catalogue says.
    """
    with postgres.fresh_database() as url:
        yield url
        assert faults_of_events(url) == []


# Where the core of the tests sends text messages to.
SMS_COUNTRIES = ("AT", "BE", "CH", "DE", "ES", "FR", "GB", "IT", "NL", "PL", "SE", "US")
ENGINES = ("pygrpc-native", "grpcio")
# Rules of the pipeline about what `rpc/test_access.py` has found in a call on either engine.
ENGINES_DO_NOT_MATTER = ("test_mixed_credentials", "test_new_kinds")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The tests of `rpc` meet both engines, those of the features the default one."""
    if "world" in metafunc.fixturenames:
        path = metafunc.definition.path
        both = path.parent.name == "rpc" and path.stem not in ENGINES_DO_NOT_MATTER
        engines = ENGINES if both else ENGINES[:1]
        metafunc.parametrize("world", engines, indirect=True, scope="session")


@pytest.fixture(scope="session")
async def world(
    request: pytest.FixtureRequest, database_url: str, valkey_url: str
) -> AsyncIterator[World]:
    """A core that listens on a free port, with the real rate limit service beside it."""
    async with running(request.param, database_url, valkey_url) as world:
        yield world


@asynccontextmanager
async def running(
    engine: str,
    database_url: str,
    valkey_url: str,
    authenticators: Sequence[Authenticator] = (),
    operator_organization: UUID | None = None,
    **settings_given: Any,
) -> AsyncIterator[World]:
    """A running core.

    Args:
        engine: one of `ENGINES`.
        authenticators: of kinds of credentials beside its own.
        operator_organization: whose webhooks may receive what happens to people.
        settings_given: settings that differ from those of the other tests.
    """
    async with AsyncExitStack() as parts:
        sockets = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="portico")))
        settings = Settings(
            runtime_dir=sockets,
            database_url=database_url,
            redis_url=valkey_url,
            secret_key=SECRET_KEY,
            internal_token=SecretStr(INTERNAL_TOKEN),
            grpc_engine=cast("Any", engine),
            bcrypt_rounds=BCRYPT_ROUNDS,
            webhook_allow_loopback=True,
            operator_organization=operator_organization,
            **{"sms_provider": "phonebox", "sms_countries": SMS_COUNTRIES, **settings_given},
        )
        edge = RateLimitSettings(runtime_dir=sockets, redis_url=valkey_url, ratelimit_timeout=2)
        await parts.enter_async_context(ratelimit(edge))
        clock, notifier = OffsetClock(), RecordingNotifier()
        names = await parts.enter_async_context(name_server())
        records = DnsTextRecords(("127.0.0.1",), names.port)
        core = build(
            settings,
            clock=clock,
            notifier=notifier,
            replaced={Resolver: KnownNames(), TextRecords: records},
            authenticators=authenticators,
        )
        parts.push_async_callback(core.close)
        await core.prepare()
        server = pipeline_server(settings.grpc_engine, core.pipeline, core.services)
        parts.push_async_callback(server.stop)
        port = await server.listen_tcp("127.0.0.1", 0)
        # Where what stands in front of the core reaches it.
        await server.listen_unix(settings.socket("core"))
        channel = await parts.enter_async_context(aio.insecure_channel(f"127.0.0.1:{port}"))
        yield World(
            channel,
            core.parts.engine,
            settings.secrets,
            clock,
            notifier,
            sockets,
            core.parts.provided,
            names,
        )


@pytest.fixture(autouse=True)
def own_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """However late it gets in a test, the next one begins as early as this one did."""
    if "world" not in request.fixturenames:
        yield
        return
    world: World = request.getfixturevalue("world")
    with world.clock.later(timedelta()):
        yield


Refused = Callable[[Awaitable[Any], grpc.StatusCode, str], Awaitable[Refusal]]


@pytest.fixture
def refused() -> Refused:
    """Asserts that a call is refused with a code and a reason, and gives the whole refusal."""

    async def check(call: Awaitable[Any], code: grpc.StatusCode, reason: str) -> Refusal:
        with pytest.raises(aio.AioRpcError) as caught:
            await call
        found = refusal(caught.value)
        assert (found.code, found.reason) == (code, reason), found
        return found

    return check


Audited = Callable[[str], Awaitable[list[str]]]


@pytest.fixture
def audited(world: World) -> Audited:
    """The actions that the audit log holds on a target, oldest first."""

    async def read(target_id: str) -> list[str]:
        query = select(AuditEntry.action).where(AuditEntry.target_id == UUID(target_id))
        async with AsyncSession(world.engine) as db:
            return list(await db.scalars(query.order_by(AuditEntry.id)))

    return read


@pytest.fixture
async def owner(world: World) -> Person:
    """Somebody with an account and no organization yet."""
    return await world.new_person()


@pytest.fixture(scope="module")
async def somebody(world: World) -> Person:
    """Somebody for all the tests of a file in which nothing of an account is changed."""
    return await world.new_person()


@pytest.fixture
async def organization_id(world: World, owner: Person) -> str:
    """An organization of the owner."""
    return await world.new_organization(owner)


@pytest.fixture
async def stranger(world: World) -> Person:
    """The owner of another organization."""
    person = await world.new_person()
    await world.new_organization(person)
    return person
