"""What the tests of the authorization service share: a small core, and a gateway that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from envoy.service.auth.v3.attribute_context_pb2 import AttributeContext
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from envoy.service.auth.v3.external_auth_pb2_grpc import AuthorizationStub

from edge.authorize.main import authorize
from edge.settings import AuthorizeSettings
from portico_kit.testing.clocks import FakeClock
from portico_kit.testing.fake_core import FakeCore, Key
from portico_kit.testing.waiting import eventually

HOME = "192.0.2.1"
BOUND_PATH = "/api/v1/api-keys/one"


@dataclass(frozen=True)
class CheckResult:
    """What Envoy is told."""

    response: CheckResponse

    @property
    def status(self) -> int:
        """The HTTP status of a refusal, or 200."""
        denied = self.response.HasField("denied_response")
        return int(self.response.denied_response.status.code) if denied else 200

    @property
    def headers(self) -> dict[str, str]:
        """Those of the request that goes on, or of the refusal."""
        answer = self.response.ok_response if self.status == 200 else self.response.denied_response
        return {option.header.key: option.header.value for option in answer.headers}

    @property
    def nonce(self) -> str:
        """The nonce for the next proof, which every answer to the scheme DPoP has."""
        ok = self.response.ok_response.response_headers_to_add
        added = {option.header.key: option.header.value for option in ok}
        return str({**self.headers, **added}["dpop-nonce"])

    @property
    def removed(self) -> list[str]:
        return list(self.response.ok_response.headers_to_remove)

    @property
    def message(self) -> str:
        return str(self.response.denied_response.body)


@dataclass(frozen=True)
class Edge:
    """The service, its core, and how Envoy asks it."""

    stub: AuthorizationStub
    core: FakeCore
    clock: FakeClock

    async def check(self, secret: str, permission: str = "", address: str = HOME) -> CheckResult:
        """One request with an API key, from an address, to a method that needs a permission."""
        http = AttributeContext.HttpRequest(
            headers={"x-api-key": secret, "x-edge-address": address}
        )
        request = CheckRequest(
            attributes=AttributeContext(
                request=AttributeContext.Request(http=http),
                context_extensions={"permission": permission, "rpc": "/a.B/C"},
            )
        )
        return CheckResult(await self.stub.Check(request, timeout=5))

    async def check_bound(
        self,
        token: str,
        proof: str | None,
        *,
        headers: Mapping[str, str] | None = None,
        access: str = "permission",
    ) -> CheckResult:
        """One request with the scheme DPoP, as the gateway asks about it: transcoded.

        It is a GET of BOUND_PATH, which needs keys:read.
        """
        sent = {
            "x-edge-dpop": token,
            "x-envoy-original-method": "GET",
            "x-envoy-original-path": f"{BOUND_PATH}?limit=5",
            **({} if proof is None else {"dpop": proof}),
            **(headers or {}),
        }
        http = AttributeContext.HttpRequest(headers=sent, method="POST", path="/a.B/C")
        request = CheckRequest(
            attributes=AttributeContext(
                request=AttributeContext.Request(http=http),
                context_extensions={"permission": "keys:read", "access": access, "rpc": "/a.B/C"},
            )
        )
        return CheckResult(await self.stub.Check(request, timeout=5))

    async def status(self, secret: str) -> int:
        """The HTTP status of one request."""
        return (await self.check(secret)).status

    async def remembers(self, secret: str) -> bool:
        """Whether a request is answered without asking the core."""
        before = self.core.asked
        await self.check(secret)
        return self.core.asked == before

    async def settle(self) -> None:
        """Waits until the service hears of changes, and so remembers keys at all."""
        key = self.core.add(Key())
        await eventually(lambda: self.remembers(key.secret))
        self.core.asked = 0


@asynccontextmanager
async def running_edge(settings: AuthorizeSettings, core: FakeCore) -> AsyncIterator[Edge]:
    """The service, up as long as the block lasts."""
    clock = FakeClock()
    async with (
        authorize(settings, clock),
        grpc.aio.insecure_channel(f"unix:{settings.authorize_socket}") as channel,
    ):
        yield Edge(AuthorizationStub(channel), core, clock)
