"""The real parts for tests: PostgreSQL, Valkey, and the whole platform.

Everything is started by the code that `portico run` is made of, in a temporary
folder and on free ports, and ends with the tests, however they end. The
fixtures that hand these out are in conftest.py:

    postgres_url   the admin database of a PostgreSQL server (session)
    database_url   a fresh, migrated database (function); for a module or a
                   session of your own use `postgres.fresh_database()`, and
                   for many tests that change rows alone `emptied_database()`
    valkey_url     a Valkey server (session); take keys of your own or FLUSHDB
    stack          every process of the platform (session)

    async def test_something(stack: Stack) -> None:
        async with stack.rest() as rest:        # an aiohttp session with an address of its own,
            answer = await rest.get("/api/v1/health")    # so that no other test uses up its limits
        async with stack.channel() as channel:  # the gRPC core
            ...
        await stack.kill("worker")              # SIGKILL, nothing else is disturbed
        await stack.start("worker")
        await stack.restart("core")

A test that breaks a process brings it back before it ends.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
import psycopg
from psycopg import sql

from cli.run.errors import RunError
from cli.run.main import answer_ready
from cli.run.plan import Step, embedded_postgres, make_plan, server_step
from cli.run.postgres import Postgres
from cli.run.settings import Settings, read_settings
from cli.run.state import load_secrets, prepare_folders
from cli.run.supervisor import Supervisor
from cli.run.valkey import Valkey
from cli.run.watchdog import Watchdog
from portico_kit.testing.ports import free_ports
from server.migrations import upgrade
from tests.support.addresses import new_address

TEMPLATE = "migrated"
# Fast, and open to what tests do: cheap passwords, receivers on loopback, clients that name
# their own address, and a place to return to.
# Named before it is there; tests/clients/test_mcp_clients.py founds it.
REGISTRATION_ORGANIZATION = "01890a5d-0000-7000-8000-00000000dc49"
TEST_VARIABLES = {
    "PORTICO_REGISTRATION_ORGANIZATION": REGISTRATION_ORGANIZATION,
    "PORTICO_BCRYPT_ROUNDS": "4",
    "PORTICO_WEBHOOK_ALLOW_LOOPBACK": "true",
    "PORTICO_TRUSTED_HOPS": "1",
    "PORTICO_JWKS_CACHE": "1",
    # A busy machine refuses nobody: the limiter has time to decide, and Valkey to count.
    "PORTICO_LIMITER_TIMEOUT": "3",
    "PORTICO_BUDGET_TIMEOUT": "3",
    "PORTICO_RATELIMIT_TIMEOUT": "2",
    "PORTICO_RETURN_URLS": "https://app.example.com/welcome",
    "PORTICO_SMS_PROVIDER": "phonebox",
    "PORTICO_SMS_COUNTRIES": "DE",
}

_databases = itertools.count(1)
OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


class PostgresServer:
    """A PostgreSQL server from which databases are handed out.

    Args:
        server: the running server.
    """

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._free: list[str] = []
        self._kept: set[str] = set()

    @property
    def url(self) -> str:
        """The database from which others are made and dropped."""
        return self._server.url_of("postgres")

    def make_template(self) -> None:
        """Makes the migrated database that all others are copies of."""
        self._execute("CREATE DATABASE {}", TEMPLATE)
        upgrade(self._server.url_of(TEMPLATE))
        with psycopg.connect(self._server.url_of(TEMPLATE)) as connection:
            self._kept = written_tables(connection)

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """Gives the address of a migrated database that nobody else uses, and drops it after."""
        name = f"test_{next(_databases)}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, TEMPLATE)
        try:
            yield self._server.url_of(name)
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    @contextmanager
    def emptied_database(self) -> Iterator[str]:
        """Gives the address of a migrated database without rows, and takes its rows away after.

        That takes a fraction of what a fresh one does. Whoever changes more than rows, or what
        migrations have written, asks for a fresh one.
        """
        if not self._free:
            name = f"test_{next(_databases)}"
            self._execute("CREATE DATABASE {} TEMPLATE {}", name, TEMPLATE)
            self._free.append(name)
        name = self._free.pop()
        url = self._server.url_of(name)
        yield url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(OTHERS)
            if written := written_tables(connection) - self._kept:
                tables = sql.SQL(", ").join(map(sql.Identifier, sorted(written)))
                connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))
        self._free.append(name)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def written_tables(connection: psycopg.Connection[tuple[Any, ...]]) -> set[str]:
    """The tables that have rows."""
    names = [name for (name,) in connection.execute(TABLES)]
    rows = sql.SQL(" UNION ALL ").join(
        sql.SQL("(SELECT {} FROM {} LIMIT 1)").format(sql.Literal(name), sql.Identifier(name))
        for name in names
    )
    return {name for (name,) in connection.execute(rows)}


@asynccontextmanager
async def running_postgres(folder: Path, watchdog: Watchdog) -> AsyncIterator[PostgresServer]:
    """A PostgreSQL server with a migrated template, in a folder of its own."""
    home = folder / "postgres"
    server = Postgres(home, sockets=home, log=folder / "postgres.log", durable=False)
    async with running(server_step("postgres", server), watchdog):
        yield PostgresServer(server)


@asynccontextmanager
async def running_valkey(folder: Path, watchdog: Watchdog) -> AsyncIterator[str]:
    """A Valkey server in a folder of its own; gives its address."""
    server = Valkey(folder, folder / "valkey.sock", folder / "valkey.log", durable=False)
    async with running(server_step("valkey", server), watchdog):
        yield server.url


@asynccontextmanager
async def running(step: Step, watchdog: Watchdog) -> AsyncIterator[None]:
    """One step, up as long as the block lasts."""
    supervisor = Supervisor([step], watchdog)
    try:
        await legible(supervisor.guard(supervisor.start()))
        yield
    finally:
        await supervisor.stop()


class Stack:
    """Every process of the platform.

    Args:
        folder: where its state, sockets and logs go; its path should be short.
        watchdog: the guard over its processes.
        variables: PORTICO_* settings beside those that tests always use.
    """

    def __init__(
        self, folder: Path, watchdog: Watchdog, variables: Mapping[str, str] | None = None
    ) -> None:
        self.environment = environment_for(folder, variables or {})
        self.settings: Settings = read_settings(self.environment)
        prepare_folders(self.settings)
        self._supervisor = Supervisor(
            make_plan(self.settings, load_secrets(folder), self.environment, durable=False),
            watchdog,
        )

    @property
    def base_url(self) -> str:
        """Where the REST edge answers, without a path."""
        return self.settings.base_url

    @property
    def grpc_address(self) -> str:
        """Where the core answers gRPC."""
        return f"127.0.0.1:{self.settings.grpc_port}"

    @property
    def mailbox_url(self) -> str:
        """Where the mailbox shows the mails that were sent."""
        return f"http://127.0.0.1:{self.settings.mailbox_port}"

    @property
    def database_url(self) -> str:
        """The platform's database, for what no method of the contract changes."""
        return embedded_postgres(self.settings).url

    def pid(self, name: str) -> int:
        """The process id of a part, for example "core" or "postgres"."""
        return self._supervisor.children[name].pid

    def log(self, name: str) -> str:
        """What a part has logged since it was started."""
        return (self.settings.logs_dir / f"{name}.log").read_text(errors="replace")

    async def start(self, *names: str) -> None:
        """Starts the named parts, or all, and waits until the platform is ready."""
        await legible(self._supervisor.start(*names))
        await legible(answer_ready(self.settings))

    async def stop(self, *names: str) -> None:
        """Stops the named parts, or all, as `portico run` does."""
        await self._supervisor.stop(*names)

    async def kill(self, *names: str) -> None:
        """Ends the named parts with SIGKILL."""
        await self._supervisor.kill(*names)

    async def restart(self, *names: str) -> None:
        """Stops and starts the named parts."""
        await self.stop(*names)
        await self.start(*names)

    def rest(self) -> aiohttp.ClientSession:
        """A client of the REST edge with an IP address that no other client has had."""
        return aiohttp.ClientSession(self.base_url, headers={"x-forwarded-for": new_address()})

    def channel(self) -> grpc.aio.Channel:
        """A channel to the core."""
        return grpc.aio.insecure_channel(self.grpc_address)


def environment_for(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a platform under test: nothing of the person's own PORTICO_* settings."""
    ports = free_ports(4)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PORTICO_")}
    return {
        **inherited,
        **TEST_VARIABLES,
        "PORTICO_STATE_DIR": str(folder),
        "PORTICO_REST_PORT": str(ports[0]),
        "PORTICO_GRPC_PORT": str(ports[1]),
        "PORTICO_MAILBOX_PORT": str(ports[2]),
        "PORTICO_SMTP_URL": f"smtp://127.0.0.1:{ports[3]}",
        **variables,
    }


async def legible(work: Awaitable[None]) -> None:
    """Does `work`; if a process fails, the end of its log is in the error."""
    try:
        await work
    except RunError as error:
        raise AssertionError("\n".join((str(error), *error.details))) from error
