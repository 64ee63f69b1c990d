"""How a method becomes a gRPC handler: the interceptors, in their order, around the service.

They are ours and not gRPC's, composed once when the server starts: they are
typed, see a `Call` instead of a context, and cost one function call each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from grpc import aio

from server.kit.call import Call, Client
from server.kit.clock import Clock
from server.kit.contract import ContractError, Method, methods
from server.kit.errors import MalformedMessageError
from server.kit.ids import new_id

Context = aio.ServicerContext[Any, Any]
Proceed = Callable[[Any, Call], Awaitable[Message]]

# What a client may choose as its request id: it goes into logs and headers.
REQUEST_ID_LENGTH = 128


class Interceptor(Protocol):
    """A step around every call."""

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Does its part and lets the rest of the way proceed."""
        ...


class ErrorsInterceptor(Protocol):
    """The outermost step: it alone sees the gRPC context, to end a call with a status."""

    async def __call__(
        self, request: Any, call: Call, proceed: Proceed, context: Context
    ) -> Message:
        """Lets the call proceed and turns what it raises into a status."""
        ...


@dataclass(frozen=True, slots=True)
class Feature:
    """A service of the contract and the object that serves it."""

    descriptor: ServiceDescriptor
    service: object


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The way of every call. The interceptors stand in `wiring`, outermost first."""

    errors: ErrorsInterceptor
    interceptors: Sequence[Interceptor]
    clock: Clock

    def handlers(
        self, feature: Feature, *, behind_gateway: bool
    ) -> Mapping[str, grpc.RpcMethodHandler[Any, Any]]:
        """The handlers of a feature, by method name.

        Args:
            behind_gateway: whether callers come through our gateway, whose word
                about the client's address we take.

        Raises:
            ContractError: if the service lacks a method of the contract.
        """
        return {
            method.name: self._handler(method, feature.service, behind_gateway)
            for method in methods(feature.descriptor)
        }

    def _handler(
        self, method: Method, service: object, behind_gateway: bool
    ) -> grpc.RpcMethodHandler[Any, Any]:
        serve = getattr(service, method.name, None)
        if serve is None:
            raise ContractError(f"{type(service).__name__} does not serve {method.path}")
        proceed = _compose(self.interceptors, serve)

        async def handle(request: Message, context: Context) -> Message:
            call = _call(method, context, self.clock, behind_gateway)
            way = _refuse_malformed if request is _MALFORMED else proceed
            response = await self.errors(request, call, way, context)
            if call.reply_metadata:
                await context.send_initial_metadata(tuple(call.reply_metadata.items()))
            return response

        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=_deserializer(method.request.FromString),
            response_serializer=method.response.SerializeToString,
        )


# What could not be read. The engines have answers of their own for that, with a stack trace in
# the log, and one of them tells the caller of it.
_MALFORMED: Any = object()


def _deserializer(parse: Callable[[bytes], Message]) -> Callable[[bytes], Message]:
    def deserialize(serialized: bytes) -> Message:
        try:
            return parse(serialized)
        except DecodeError:
            malformed: Message = _MALFORMED
            return malformed

    return deserialize


async def _refuse_malformed(_request: Any, _call: Call) -> Message:
    raise MalformedMessageError


def _compose(interceptors: Sequence[Interceptor], serve: Proceed) -> Proceed:
    proceed = serve
    for interceptor in reversed(interceptors):
        proceed = _around(interceptor, proceed)
    return proceed


def _around(interceptor: Interceptor, inner: Proceed) -> Proceed:
    # Not a coroutine of its own: it would only wait for the interceptor's.
    def proceed(request: Any, call: Call) -> Awaitable[Message]:
        return interceptor(request, call, inner)

    return proceed


def _call(method: Method, context: Context, clock: Clock, behind_gateway: bool) -> Call:
    metadata = {
        key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
    }
    return Call(
        method=method,
        metadata=metadata,
        client=_client(metadata, context, behind_gateway),
        request_id=_request_id(metadata.get("x-request-id", "")),
        now=clock(),
    )


def _client(metadata: Mapping[str, str], context: Context, behind_gateway: bool) -> Client:
    # The gateway knows the client behind the proxies that it trusts, and strips the
    # header from its callers. A direct caller is known by its connection alone.
    told = metadata.get("x-edge-address", "") if behind_gateway else ""
    address = told or _peer_address(context.peer() or "")
    return Client(address=address[:64], user_agent=metadata.get("user-agent", "")[:400])


def _peer_address(peer: str) -> str:
    """The address in gRPC's name of a connection, "ipv4:192.0.2.1:4711" or "ipv6:%5B::1%5D:4711".

    A unix socket has none.
    """
    family, _, place = peer.partition(":")
    if family not in ("ipv4", "ipv6"):
        return ""
    return unquote(place.rpartition(":")[0]).strip("[]")


def _request_id(given: str) -> str:
    acceptable = 0 < len(given) <= REQUEST_ID_LENGTH and given.isascii() and given.isprintable()
    return given if acceptable else str(new_id())
