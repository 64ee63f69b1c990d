"""Tokens for applications: what the core and the database spend on each, over gRPC.

`python -m bench.oauth` measures this alone and prints it. What speaks the standards' wire
formats stands in front of the core, and is not in it.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import grpc
from portico.applications.v1 import application_service_pb2 as applications
from portico.applications.v1.application_service_pb2_grpc import ApplicationServiceStub
from portico.oauth.v1 import authorization_service_pb2 as authorizations
from portico.oauth.v1 import token_service_pb2 as pb
from portico.oauth.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from portico.oauth.v1.token_service_pb2_grpc import TokenServiceStub

from bench.load import Result
from bench.measure import Measurement, Service, Span, account
from bench.population import Inhabitant, populate
from bench.report import table_of
from cli.run.state import load_secrets
from cli.run.watchdog import Watchdog
from tests.stack import Stack

CONCURRENCY = 8
SPAN = Span(requests=800, seconds=15)
CODES = 1040
REDIRECT = "https://app.example.com/callback"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-in-all"
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
VARIABLES = {"PORTICO_ADDRESS_RATE": "1000000"}

Metadata = tuple[tuple[str, str], ...]
Send = Callable[[int], Awaitable[None]]


@dataclass
class Client:
    """An application of somebody, at the core."""

    stack: Stack
    channel: grpc.aio.Channel
    person: Inhabitant
    internal: Metadata
    credentials: pb.ClientCredentials

    async def issue(self, **fields: str) -> pb.IssueTokenResponse:
        request = pb.IssueTokenRequest(client=self.credentials, **fields)
        stub = TokenServiceStub(self.channel)
        return await stub.IssueToken(request, metadata=self.internal)

    async def introspect(self, token: str) -> None:
        request = pb.IntrospectRequest(client=self.credentials, token=token)
        await TokenServiceStub(self.channel).Introspect(request, metadata=self.internal)

    async def code(self) -> str:
        """A code that the person has approved."""
        stub = AuthorizationServiceStub(self.channel)
        given = {
            "response_type": "code",
            "client_id": self.credentials.client_id,
            "redirect_uri": REDIRECT,
            "scope": "openid projects:read",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        parameters = [authorizations.Parameter(name=n, value=v) for n, v in given.items()]
        begun = await stub.BeginAuthorization(
            authorizations.BeginAuthorizationRequest(parameters=parameters)
        )
        approved = await stub.ApproveAuthorization(
            authorizations.ApproveAuthorizationRequest(
                request_id=begun.authorization.request_id,
                organization_id=self.person.organization_id,
            ),
            metadata=_bearer(self.person.token),
        )
        return {each.name: each.value for each in approved.response.parameters}["code"]

    async def exchange(self, code: str) -> pb.IssueTokenResponse:
        return await self.issue(grant_type="authorization_code", code=code, code_verifier=VERIFIER)


async def measure_oauth(stack: Stack, people: Sequence[Inhabitant]) -> list[Measurement]:
    """Each kind of request, in the order in which a client meets them."""
    service = Service(
        "Portico", 0, {part: stack.pid(part) for part in ("core", "postgres", "valkey")}
    )
    async with stack.channel() as channel:
        web = await _application(stack, channel, people[0], "web", ["openid", "projects:read"])
        machine = await _application(stack, channel, people[0], "machine", ["projects:read"])
        found = []
        for work, send in (await _works(web, machine)).items():
            found.append(await account(work, service, _sender(send), SPAN, CONCURRENCY))
    return found


async def _works(web: Client, machine: Client) -> dict[str, Send]:
    token = (await machine.issue(grant_type="client_credentials")).access_token
    codes: list[str] = []
    while len(codes) < CODES:
        codes += await asyncio.gather(*(web.code() for _ in range(CONCURRENCY)))
    exchanged = [await web.exchange(code) for code in codes[:CONCURRENCY]]
    refresh_tokens = [each.refresh_token for each in exchanged]
    unused = iter(codes[CONCURRENCY:])

    async def client_credentials(_: int) -> None:
        await machine.issue(grant_type="client_credentials")

    async def introspection(_: int) -> None:
        await machine.introspect(token)

    async def introspection_for_person(_: int) -> None:
        await web.introspect(exchanged[0].access_token)

    async def refresh(connection: int) -> None:
        issued = await web.issue(
            grant_type="refresh_token", refresh_token=refresh_tokens[connection]
        )
        refresh_tokens[connection] = issued.refresh_token

    async def exchange(_: int) -> None:
        await web.exchange(next(unused))

    return {
        # First: a code is good for a minute.
        "code exchange": exchange,
        "refresh": refresh,
        "client_credentials": client_credentials,
        "introspection, machine": introspection,
        "introspection, person": introspection_for_person,
    }


def _sender(send: Send) -> Callable[[Span], Awaitable[Result]]:
    async def run(span: Span) -> Result:
        left = iter(range(span.requests))
        began = time.perf_counter()

        async def connection(number: int) -> list[float]:
            latencies = []
            for _ in left:
                started = time.perf_counter()
                await send(number)
                latencies.append(time.perf_counter() - started)
                if time.perf_counter() - began > span.seconds:
                    break
            return latencies

        parts = await asyncio.gather(*map(connection, range(CONCURRENCY)))
        latencies = sorted(itertools.chain.from_iterable(parts))
        return Result(time.perf_counter() - began, latencies, Counter({200: len(latencies)}))

    return run


async def _application(
    stack: Stack, channel: grpc.aio.Channel, person: Inhabitant, kind: str, scopes: list[str]
) -> Client:
    made = await ApplicationServiceStub(channel).CreateApplication(
        applications.CreateApplicationRequest(
            organization_id=person.organization_id,
            name="an application",
            kind=kind,
            scopes=scopes,
            redirect_uris=[REDIRECT] if kind == "web" else [],
        ),
        metadata=_bearer(person.token),
    )
    credentials = pb.ClientCredentials(
        client_id=made.application.id,
        method="client_secret_basic",
        client_secret=made.client_secret,
    )
    internal = _bearer(load_secrets(stack.settings.state_dir)["PORTICO_INTERNAL_TOKEN"])
    return Client(stack, channel, person, internal, credentials)


def _bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


async def main() -> None:
    """Measures the tokens of applications alone."""
    with tempfile.TemporaryDirectory(prefix="portico-") as name, Watchdog() as watchdog:
        stack = Stack(Path(name), watchdog, VARIABLES)
        try:
            await stack.start()
            found = await measure_oauth(stack, await populate(stack, 1))
        finally:
            await stack.stop()
    sys.stdout.write(table_of(found) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
