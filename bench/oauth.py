"""Tokens for applications: what the core and the database spend on each, over gRPC.

`python -m bench.oauth` measures this alone and prints it. What speaks the standards' wire
formats stands in front of the core, and is not in it. The baseline speaks HTTP itself.
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
from urllib.parse import urlencode

import aiohttp
import grpc
import psycopg
from portico.applications.v1 import application_service_pb2 as applications
from portico.applications.v1.application_service_pb2_grpc import ApplicationServiceStub
from portico.oauth.v1 import authorization_service_pb2 as authorizations
from portico.oauth.v1 import token_service_pb2 as pb
from portico.oauth.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from portico.oauth.v1.token_service_pb2_grpc import TokenServiceStub

from bench.baselines.golang import build_hydra
from bench.baselines.hydra import Hydra, hydra
from bench.baselines.start import oidc_provider
from bench.load import Request, Result
from bench.measure import HOST, Measurement, Service, Span, account, measure
from bench.population import Inhabitant, populate
from bench.report import NO_HYDRA, table_of
from cli.run.state import load_secrets
from cli.run.watchdog import Watchdog
from tests.stack import Stack

CONCURRENCY = 8
SPAN = Span(requests=800, seconds=15)
CODES = 1040
REDIRECT = "https://app.example.com/callback"
MACHINE = "machine"
CLIENT_CREDENTIALS = "client_credentials, JWT"
INTROSPECTION = "introspection, machine's token"
OPAQUE_CREDENTIALS = "client_credentials, opaque"
OPAQUE_INTROSPECTION = "introspection, machine's opaque token"
FORM = "application/x-www-form-urlencoded"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-in-all"
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
VARIABLES = {"PORTICO_ADDRESS_RATE": "1000000"}

# With it there is an ID token.
OPENID = "openid projects:read"

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

    async def code(self, scope: str = OPENID) -> str:
        """A code that the person has approved."""
        stub = AuthorizationServiceStub(self.channel)
        given = {
            "response_type": "code",
            "client_id": self.credentials.client_id,
            "redirect_uri": REDIRECT,
            "scope": scope,
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


async def measure_oauth(
    stack: Stack, people: Sequence[Inhabitant], folder: Path, hydra_binary: str | None
) -> list[Measurement]:
    """Each kind of request, in the order in which a client meets them; then the baselines'.

    Args:
        hydra_binary: None to do without it.
    """
    service = Service(
        "Portico", 0, {part: stack.pid(part) for part in ("core", "postgres", "valkey")}
    )
    async with stack.channel() as channel:
        scopes = OPENID.split()
        web = await _application(stack, channel, people[0], "web", scopes)
        quick = await _application(stack, channel, people[0], "web", scopes, "ES256")
        machine = await _application(stack, channel, people[0], MACHINE, ["projects:read"])
        works = {**await _works_for_people(stack, web, quick), **await _works_for_machines(machine)}
        found = [
            await account(work, service, _sender(send), SPAN, CONCURRENCY)
            for work, send in works.items()
        ]
    async with oidc_provider(folder) as (provider, secret):
        gets = await _provider_requests(provider, secret)
        found += [
            await measure(work, provider, [request], SPAN, CONCURRENCY)
            for work, request in gets.items()
        ]
    return found + (await _measure_hydra(stack, hydra_binary) if hydra_binary else [])


async def _measure_hydra(stack: Stack, binary: str) -> list[Measurement]:
    """The same of Hydra, and what it does by default: opaque tokens, which are rows."""
    async with hydra(stack, binary) as running:
        return [
            *await _measure_form(running, "jwt", CLIENT_CREDENTIALS, INTROSPECTION),
            *await _measure_form(running, "opaque", OPAQUE_CREDENTIALS, OPAQUE_INTROSPECTION),
        ]


async def _measure_form(
    running: Hydra, form: str, issuing: str, introspecting: str
) -> list[Measurement]:
    grant = {"grant_type": "client_credentials", "scope": "projects:read"}
    issue = _form("/oauth2/token", {**running.clients[form], **grant})
    token = await _token(running.public, issue)
    look = _form("/admin/oauth2/introspect", {"token": token})
    return [
        await measure(issuing, running.public, [issue], SPAN, CONCURRENCY),
        await measure(introspecting, running.admin, [look], SPAN, CONCURRENCY),
    ]


async def _token(service: Service, issue: Request) -> str:
    address = f"http://{HOST}:{service.port}{issue.path}"
    headers = {"content-type": FORM}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(address, data=issue.body) as answer,
    ):
        token: str = (await answer.json())["access_token"]
        return token


async def _works_for_people(stack: Stack, web: Client, quick: Client) -> dict[str, Send]:
    codes: list[str] = []
    while len(codes) < CODES:
        codes += await asyncio.gather(*(web.code() for _ in range(CONCURRENCY)))
    unused = iter(codes)
    async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
        # Before the planner knows of the rows it reads all of them for each query.
        await connection.execute("analyze")
    issued = await web.exchange(await web.code())

    async def exchange(_: int) -> None:
        await web.exchange(next(unused))

    async def introspection(_: int) -> None:
        await web.introspect(issued.access_token)

    return {
        # First: a code is good for a minute.
        "code exchange, ID token by RS256": exchange,
        "refresh": await _refreshes(web, "projects:read"),
        "refresh, ID token by ES256": await _refreshes(quick, OPENID),
        "refresh, ID token by RS256": await _refreshes(web, OPENID),
        "introspection, person's token": introspection,
    }


async def _refreshes(client: Client, scope: str) -> Send:
    """Moves a chain of refresh tokens on, one for each connection."""
    codes = [await client.code(scope) for _ in range(CONCURRENCY)]
    tokens = [(await client.exchange(code)).refresh_token for code in codes]

    async def refresh(connection: int) -> None:
        issued = await client.issue(grant_type="refresh_token", refresh_token=tokens[connection])
        tokens[connection] = issued.refresh_token

    return refresh


async def _works_for_machines(machine: Client) -> dict[str, Send]:
    token = (await machine.issue(grant_type="client_credentials")).access_token

    async def client_credentials(_: int) -> None:
        await machine.issue(grant_type="client_credentials")

    async def introspection(_: int) -> None:
        await machine.introspect(token)

    return {CLIENT_CREDENTIALS: client_credentials, INTROSPECTION: introspection}


async def _provider_requests(provider: Service, secret: str) -> dict[str, Request]:
    """The same of the baseline. Its tokens that are introspected are opaque: it reads no JWT."""
    client = {"client_id": MACHINE, "client_secret": secret}
    form = {**client, "grant_type": "client_credentials", "scope": "projects:read"}
    address = f"http://{HOST}:{provider.port}/token"
    opaque = {**form, "resource": "https://opaque.example"}
    async with aiohttp.ClientSession() as http, http.post(address, data=opaque) as answer:
        token = (await answer.json())["access_token"]
    return {
        CLIENT_CREDENTIALS: _form("/token", {**form, "resource": "https://jwt.example"}),
        INTROSPECTION: _form("/token/introspection", {**client, "token": token}),
    }


def _form(path: str, fields: dict[str, str]) -> Request:
    return Request(path, {}, "POST", urlencode(fields).encode(), FORM)


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
    stack: Stack,
    channel: grpc.aio.Channel,
    person: Inhabitant,
    kind: str,
    scopes: list[str],
    signed_by: str = "RS256",
) -> Client:
    made = await ApplicationServiceStub(channel).CreateApplication(
        applications.CreateApplicationRequest(
            organization_id=person.organization_id,
            name="an application",
            kind=kind,
            scopes=scopes,
            redirect_uris=[REDIRECT] if kind == "web" else [],
            id_token_signed_response_alg=signed_by,
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
    binary = await build_hydra()
    with tempfile.TemporaryDirectory(prefix="portico-") as name, Watchdog() as watchdog:
        folder = Path(name)
        stack = Stack(folder / "s", watchdog, VARIABLES)
        try:
            await stack.start()
            found = await measure_oauth(stack, await populate(stack, 1), folder, binary)
        finally:
            await stack.stop()
    sys.stdout.write(table_of(found) + ("" if binary else NO_HYDRA) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
