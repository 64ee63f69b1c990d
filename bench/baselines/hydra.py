"""Starts Hydra on the platform's own PostgreSQL, in a database of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import psycopg

from bench.measure import HOST, Service
from bench.processes import listening, process
from bench.report import HYDRA
from portico_kit.testing.ports import free_ports
from portico_kit.tokens import new_token
from tests.stack import Stack

DATABASE = "hydra"
FORMS = ("jwt", "opaque")
# Each token costs one hash of the client's secret. This is the cheapest that it takes; as it
# comes it makes 25,000 rounds, which is 5 ms more.
HASH_ROUNDS = "1"


@dataclass(frozen=True)
class Hydra:
    """It runs, and has a client for each form of its tokens.

    Attributes:
        public: where tokens are issued.
        admin: where they are introspected.
        clients: what a client sends to authenticate, by the form of its tokens.
    """

    public: Service
    admin: Service
    clients: dict[str, dict[str, str]]


@asynccontextmanager
async def hydra(stack: Stack, binary: str) -> AsyncIterator[Hydra]:
    """Hydra as long as the block lasts."""
    public, admin = free_ports(2)
    environment = {
        "DSN": await _database(stack),
        "SECRETS_SYSTEM": new_token(),
        "URLS_SELF_ISSUER": f"http://{HOST}:{public}",
        "SERVE_PUBLIC_HOST": HOST,
        "SERVE_PUBLIC_PORT": str(public),
        "SERVE_ADMIN_HOST": HOST,
        "SERVE_ADMIN_PORT": str(admin),
        "OAUTH2_HASHERS_ALGORITHM": "pbkdf2",
        "OAUTH2_HASHERS_PBKDF2_ITERATIONS": HASH_ROUNDS,
        "LOG_LEVEL": "panic",
        "SQA_OPT_OUT": "true",
    }
    await _migrate(binary, environment)
    async with process(binary, "serve", "all", "--dev", environment=environment) as pid:
        await listening(public)
        await listening(admin)
        pids = {"hydra": pid, "postgres": stack.pid("postgres")}
        clients = {form: await _client(admin, form) for form in FORMS}
        yield Hydra(Service(HYDRA, public, pids), Service(HYDRA, admin, pids), clients)


async def _database(stack: Stack) -> str:
    async with await psycopg.AsyncConnection.connect(
        stack.database_url, autocommit=True
    ) as connection:
        await connection.execute(f"create database {DATABASE}".encode())
    parts = urlsplit(stack.database_url)
    # As many as ask at once, and kept: as it comes it opens new ones all the time.
    pool = "max_conns=8&max_idle_conns=8"
    query = f"{parts.query}&{pool}" if parts.query else pool
    return urlunsplit(parts._replace(scheme="postgres", path=f"/{DATABASE}", query=query))


async def _migrate(binary: str, environment: dict[str, str]) -> None:
    migrating = await asyncio.create_subprocess_exec(
        *(binary, "migrate", "sql", "up", "-e", "--yes"),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    if await migrating.wait():
        raise RuntimeError("the database of Hydra could not be made")


async def _client(admin: int, form: str) -> dict[str, str]:
    made = {
        "client_name": "an application",
        "grant_types": ["client_credentials"],
        "scope": "projects:read",
        "token_endpoint_auth_method": "client_secret_post",
        "access_token_strategy": form,
    }
    address = f"http://{HOST}:{admin}/admin/clients"
    async with aiohttp.ClientSession() as http, http.post(address, json=made) as answer:
        client = await answer.json()
    return {"client_id": client["client_id"], "client_secret": client["client_secret"]}
