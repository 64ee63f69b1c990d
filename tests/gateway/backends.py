"""What stands behind the gateway in its tests: a core, an authorizer, a limiter and pages.

All of them speak the real protocols on real sockets. Without a script the core
answers every method with an empty message, the authorizer knows one key, the
limiter admits everything, and a page says which path it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from aiohttp import web
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from envoy.service.auth.v3.external_auth_pb2_grpc import (
    AuthorizationServicer,
    add_AuthorizationServicer_to_server,
)
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from envoy.service.ratelimit.v3.rls_pb2_grpc import (
    RateLimitServiceServicer,
    add_RateLimitServiceServicer_to_server,
)
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from portico.auth.v1.auth_service_pb2 import GetJsonWebKeySetResponse, JsonWebKey

from portico_contract import Method, methods, services
from portico_kit.rpc.server import OPTIONS

GOOD_KEY = "pk_test_good"
KEY_SUBJECT = "0195d1a0-0000-7000-8000-00000000beef"
# Comes with a proof, in the scheme DPoP.
BOUND_TOKEN = "ey.token.bound-to-a-key"
INTERNAL_TOKEN = "token-that-stands-for-the-key"
PAGE_POLICY = "default-src 'none'; style-src 'self'"
JWKS = "/portico.auth.v1.AuthService/GetJsonWebKeySet"

Context = aio.ServicerContext[Any, Any]
Behaviour = Callable[[Any, Context], Awaitable[Message]]


@dataclass(frozen=True)
class Received:
    """One call as the core saw it."""

    path: str
    request: Any
    metadata: dict[str, str]


@dataclass
class Backends:
    """The services, and what a test tells them and asks them."""

    runtime_dir: Path
    keys: list[JsonWebKey] = field(default_factory=list)
    calls: list[Received] = field(default_factory=list)
    checks: list[CheckRequest] = field(default_factory=list)
    charges: list[RateLimitRequest] = field(default_factory=list)
    limit_decision: Callable[[], RateLimitResponse] = field(default=lambda: admitted())
    pages: list[web.Request] = field(default_factory=list)
    _page_server: web.AppRunner | None = None
    _script: dict[str, Behaviour] = field(default_factory=dict)
    _servers: dict[str, aio.Server] = field(default_factory=dict)
    _silent: list[asyncio.Server] = field(default_factory=list)
    _more: list[Any] = field(default_factory=list)

    def script(self, path: str, behaviour: Behaviour | Message) -> None:
        """Has the core answer a method so, until `reset`."""
        if isinstance(behaviour, Message):
            answer = behaviour

            async def same(_request: Any, _context: Context) -> Message:
                return answer

            self._script[path] = same
        else:
            self._script[path] = behaviour

    def script_service(self, service: Any, path: str, behaviour: Behaviour) -> None:
        """Has the core serve one more service, before it starts, and answer a method so."""
        self._more.append(service)
        self.script(path, behaviour)

    def reset(self) -> None:
        """Forgets the scripts of a test and what was seen in it."""
        self._script.clear()
        self.calls.clear()
        self.checks.clear()
        self.charges.clear()
        self.pages.clear()
        self.limit_decision = admitted

    async def start(self) -> None:
        """Listens on the sockets that the gateway calls."""
        await self.start_core()
        await self._listen("authorize", self._add_authorizer)
        await self._listen("ratelimit", self._add_limiter)
        await self.start_pages()

    async def start_core(self) -> None:
        """Listens as the core alone."""
        await self._listen("core", self._add_core)

    async def start_pages(self) -> None:
        """Listens as the process of the pages alone."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._page)
        self._page_server = web.AppRunner(app)
        await self._page_server.setup()
        await web.UnixSite(self._page_server, self.runtime_dir / "web.sock").start()

    async def stop_pages(self) -> None:
        """Stops that one alone."""
        if self._page_server is not None:
            await self._page_server.cleanup()
        self._page_server = None

    async def _page(self, request: web.Request) -> web.Response:
        await request.read()
        self.pages.append(request)
        headers = {"Content-Security-Policy": PAGE_POLICY, "Referrer-Policy": "no-referrer"}
        text = f"<!doctype html><p>{request.path}</p>{'x' * 1000}"
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def stop(self) -> None:
        """Stops listening."""
        await self.stop_pages()
        for server in self._servers.values():
            await server.stop(None)
        for silent in self._silent:
            silent.close()

    async def silence(self, name: str) -> None:
        """Has a service take connections and say nothing, as a stopped process does.

        Args:
            name: "core", "authorize" or "ratelimit".
        """
        await self._servers.pop(name).stop(None)
        path = self.runtime_dir / f"{name}.sock"
        path.unlink(missing_ok=True)
        self._silent.append(await asyncio.start_unix_server(_say_nothing, path))

    async def _listen(self, name: str, add: Callable[[aio.Server], None]) -> None:
        server = aio.server(options=OPTIONS)
        add(server)
        server.add_insecure_port(f"unix:{self.runtime_dir / name}.sock")
        await server.start()
        self._servers[name] = server

    def _add_core(self, server: aio.Server) -> None:
        server.add_generic_rpc_handlers(
            [self._handler(service) for service in (*services(), *self._more)]
        )
        healthy = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
        healthy._server_status[""] = health_pb2.HealthCheckResponse.SERVING

    def _add_authorizer(self, server: aio.Server) -> None:
        add_AuthorizationServicer_to_server(_Authorizer(self), server)

    def _add_limiter(self, server: aio.Server) -> None:
        add_RateLimitServiceServicer_to_server(_Limiter(self), server)

    def _handler(self, service: Any) -> grpc.GenericRpcHandler:
        handlers = {method.name: self._answer(method) for method in methods(service)}
        return grpc.method_handlers_generic_handler(service.full_name, handlers)

    def _answer(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        async def answer(request: Any, context: Context) -> Message:
            metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
            if method.path == JWKS:
                return GetJsonWebKeySetResponse(keys=self.keys)
            self.calls.append(Received(method.path, request, metadata))
            behaviour = self._script.get(method.path)
            return method.response() if behaviour is None else await behaviour(request, context)

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=method.request.FromString,
            response_serializer=method.response.SerializeToString,
        )


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass
    writer.close()


class _Authorizer(AuthorizationServicer):  # type: ignore[misc]
    """Knows one key; says of every other what edge/authorize says."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends

    async def Check(self, request: CheckRequest, _context: Context) -> CheckResponse:
        self._backends.checks.append(request)
        response = CheckResponse()
        if request.attributes.request.http.headers.get("x-edge-dpop") == BOUND_TOKEN:
            added = {"authorization": f"Bearer {BOUND_TOKEN}", "x-edge-possession": "sealed"}
            response.ok_response.headers.extend(_options({**added, "x-auth-subject": "somebody"}))
            response.ok_response.response_headers_to_add.extend(_options({"dpop-nonce": "next"}))
            return response
        if request.attributes.request.http.headers.get("x-api-key") != GOOD_KEY:
            response.status.code = 16
            response.denied_response.status.code = 401
            message = "The API key is not valid."
            response.denied_response.body = message
            headers = {"x-error-code": "UNAUTHENTICATED", "x-error-message": message}
            response.denied_response.headers.extend(_options(headers))
            return response
        headers = {
            "authorization": f"Bearer {INTERNAL_TOKEN}",
            "x-auth-subject": KEY_SUBJECT,
            "x-auth-tier": "pro",
            "x-auth-limits": "minute=60",
        }
        response.ok_response.headers.extend(_options(headers))
        response.ok_response.headers_to_remove.append("x-api-key")
        return response


class _Limiter(RateLimitServiceServicer):  # type: ignore[misc]
    """Gives the decision that the test chose."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends

    async def ShouldRateLimit(
        self, request: RateLimitRequest, _context: Context
    ) -> RateLimitResponse:
        self._backends.charges.append(request)
        return self._backends.limit_decision()


def admitted() -> RateLimitResponse:
    """Admits, with the headers that edge/ratelimit sets."""
    return RateLimitResponse(
        overall_code=RateLimitResponse.OK,
        response_headers_to_add=_limit_headers(59),
        request_headers_to_add=[HeaderValue(key="x-edge-limits", value="decided")],
    )


def refused() -> RateLimitResponse:
    """Refuses for 7 seconds."""
    headers = [*_limit_headers(0), HeaderValue(key="retry-after", value="7")]
    return RateLimitResponse(
        overall_code=RateLimitResponse.OVER_LIMIT, response_headers_to_add=headers
    )


def _limit_headers(remaining: int) -> list[HeaderValue]:
    values = {
        "x-ratelimit-limit": "60",
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": "1800000000",
        "ratelimit": f'"minute";r={remaining};t=30',
        "ratelimit-policy": '"minute";q=60;w=60',
    }
    return [HeaderValue(key=key, value=value) for key, value in values.items()]


def _options(headers: dict[str, str]) -> Iterable[HeaderValueOption]:
    for key, value in headers.items():
        yield HeaderValueOption(
            header=HeaderValue(key=key, value=value),
            append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
        )


async def refuse(
    context: Context, code: grpc.StatusCode, message: str, *details: Message
) -> Message:
    """Ends a call with a google.rpc.Status, as the core does."""
    status = Status(code=code.value[0], message=message)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(code, message)
    raise AssertionError("abort does not return")
