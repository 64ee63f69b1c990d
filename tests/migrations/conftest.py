"""Empty databases, what 0.1.0 left, and a core on what became of it."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from grpc import aio
from psycopg import sql
from pydantic import SecretStr

from edge.ratelimit.main import ratelimit
from edge.settings import RateLimitSettings
from portico_kit.clock import utc_now
from portico_kit.rpc.server import pipeline_server
from portico_kit.testing.clocks import OffsetClock
from server.core import build
from server.features.webhooks.resolution import Resolver
from server.migrations import upgrade
from server.settings import Settings
from tests.core.world import INTERNAL_TOKEN, KnownNames, RecordingNotifier, World
from tests.stack import PostgresServer

DUMP = Path(__file__).parent / "portico_0_1_0.sql"

_numbers = itertools.count(1)


@contextmanager
def empty(postgres: PostgresServer) -> Iterator[str]:
    """The address of a database without any table, which is dropped after."""
    name = f"empty_{next(_numbers)}"
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        yield postgres.url.replace("/postgres?", f"/{name}?")
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def load(url: str) -> None:
    """Fills an empty database with what 0.1.0 left."""
    with psycopg.connect(url) as connection:
        connection.execute(DUMP.read_bytes())


@pytest.fixture
def empty_database(postgres: PostgresServer) -> Iterator[str]:
    """A database without any table."""
    with empty(postgres) as url:
        yield url


@pytest.fixture
def old_database(empty_database: str) -> str:
    """The database as 0.1.0 left it, with rows in every table."""
    load(empty_database)
    return empty_database


class Left:
    """What the people whose rows 0.1.0 left have kept: passwords, secrets, tokens."""

    def __init__(self) -> None:
        self._facts: dict[str, Any] = json.loads(DUMP.with_suffix(".json").read_text())

    def __getitem__(self, name: str) -> Any:
        return self._facts[name]

    @property
    def taken_at(self) -> datetime:
        """When the dump was made. What it holds expires some time after this."""
        return datetime.fromisoformat(self._facts["taken_at"])

    def email(self, who: str) -> str:
        """The address of "owner", "admin", "member", "viewer", "invited" and so on."""
        address: str = self._facts["people"][who]["email"]
        return address


@pytest.fixture(scope="session")
def left() -> Left:
    """Passwords, secrets and tokens of the people in the old database."""
    return Left()


@pytest.fixture(scope="module")
async def world(postgres: PostgresServer, valkey_url: str, left: Left) -> AsyncIterator[World]:
    """A core on the upgraded database of 0.1.0, ten minutes after its dump was made."""
    async with AsyncExitStack() as parts:
        url = parts.enter_context(empty(postgres))
        load(url)
        upgrade(url)
        sockets = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="portico")))
        settings = Settings(
            runtime_dir=sockets,
            database_url=url,
            redis_url=valkey_url,
            secret_key=SecretStr(left["secret_key"]),
            internal_token=SecretStr(INTERNAL_TOKEN),
            bcrypt_rounds=4,
            webhook_allow_loopback=True,
        )
        edge = RateLimitSettings(runtime_dir=sockets, redis_url=valkey_url, ratelimit_timeout=2)
        await parts.enter_async_context(ratelimit(edge))
        clock, notifier = OffsetClock(), RecordingNotifier()
        parts.enter_context(clock.later(left.taken_at + timedelta(minutes=10) - utc_now()))
        core = build(settings, clock=clock, notifier=notifier, replaced={Resolver: KnownNames()})
        parts.push_async_callback(core.close)
        await core.prepare()
        server = pipeline_server(settings.grpc_engine, core.pipeline, core.services)
        parts.push_async_callback(server.stop)
        port = await server.listen_tcp("127.0.0.1", 0)
        channel = await parts.enter_async_context(aio.insecure_channel(f"127.0.0.1:{port}"))
        yield World(channel, core.parts.engine, settings.secrets, clock, notifier)
