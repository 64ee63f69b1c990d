"""One verification of an API key: never seen before (cold), and seen a moment ago (warm)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
import grpc
import psycopg
from envoy.service.auth.v3.attribute_context_pb2 import AttributeContext
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse

from bench import cpu
from bench.baselines.start import PEPPER, fastapi
from bench.load import Result
from bench.measure import HOST, Measurement
from bench.population import Inhabitant
from cli.run.state import load_secrets
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.tokens import api_key_prefix, new_api_key
from tests.stack import Stack

KEYS = 400
CONCURRENCY = 8
WARM_ROUNDS = 5
PARTS = ("authorize", "core", "postgres", "valkey")
CHECK = "/envoy.service.auth.v3.Authorization/Check"
COPY_KEY = """
insert into api_keys (id, organization_id, name, prefix, secret_hash, scopes, version)
select %s, organization_id, name, %s, %s, scopes, 1 from api_keys where organization_id = %s limit 1
"""

Verify = Callable[[str], Awaitable[int]]


@dataclass(frozen=True)
class Verifier:
    """Who verifies, and its processes by name."""

    name: str
    verify: Verify
    pids: Mapping[str, int]


async def measure_verification(stack: Stack, people: Sequence[Inhabitant]) -> list[Measurement]:
    """Ours by the authorization service, then FastAPI with its cache and its database."""
    found = await _ours(stack, await make_keys(stack, people[0].organization_id))
    keys = await make_keys(stack, people[1].organization_id)
    async with fastapi(stack, people[0].token) as service, aiohttp.ClientSession() as http:

        async def verify(secret: str) -> int:
            url = f"http://{HOST}:{service.port}/verify"
            async with http.get(url, headers={"x-api-key": secret}) as answer:
                await answer.read()
                return answer.status

        return found + await _measure(Verifier(service.name, verify, service.pids), keys)


async def make_keys(stack: Stack, organization_id: str) -> list[str]:
    """Keys like the organization's first one. Straight into the table: there are many."""
    master = load_secrets(stack.settings.state_dir)["PORTICO_SECRET_KEY"]
    secrets = Secrets.from_base64(master)
    keys = [new_api_key("test") for _ in range(KEYS)]
    rows = [
        (new_id(), api_key_prefix(key), secrets.mac(PEPPER, key), organization_id) for key in keys
    ]
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        await connection.cursor().executemany(COPY_KEY, rows)
    return keys


async def _ours(stack: Stack, keys: Sequence[str]) -> list[Measurement]:
    socket = stack.settings.runtime_dir / "authorize.sock"
    pids = {part: stack.pid(part) for part in PARTS}
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        check: grpc.aio.UnaryUnaryMultiCallable[CheckRequest, CheckResponse] = channel.unary_unary(
            CHECK,
            request_serializer=CheckRequest.SerializeToString,
            response_deserializer=CheckResponse.FromString,
        )

        async def verify(secret: str) -> int:
            answer = await check(_question(secret), timeout=5)
            return 401 if answer.status.code else 200

        return await _measure(Verifier("Portico", verify, pids), keys)


def _question(secret: str) -> CheckRequest:
    """As the gateway asks about a request with this key."""
    headers = {"x-api-key": secret, "x-edge-address": HOST}
    request = AttributeContext.Request(http=AttributeContext.HttpRequest(headers=headers))
    extensions = {"permission": "organization:read", "rpc": "/a.B/C"}
    return CheckRequest(attributes=AttributeContext(request=request, context_extensions=extensions))


async def _measure(verifier: Verifier, keys: Sequence[str]) -> list[Measurement]:
    return [
        await _load("verify a key, cold", verifier, list(keys)),
        await _load("verify a key, warm", verifier, list(keys) * WARM_ROUNDS),
    ]


async def _load(work: str, verifier: Verifier, keys: list[str]) -> Measurement:
    result = Result(0.0, [])
    count = len(keys)

    async def client() -> None:
        while keys:
            secret, started = keys.pop(), time.perf_counter()
            result.statuses[await verifier.verify(secret)] += 1
            result.latencies.append(time.perf_counter() - started)

    before, began = cpu.snapshot(verifier.pids), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CONCURRENCY)))
    result.seconds = time.perf_counter() - began
    after = cpu.snapshot(verifier.pids)
    result.latencies.sort()
    spent = {name: (after[name] - before[name]) / count * 1e6 for name in verifier.pids}
    return Measurement(work, verifier.name, CONCURRENCY, result, spent)
