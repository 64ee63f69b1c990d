"""How a method becomes a gRPC handler: the interceptors, in their order, around the service.

They are ours and not gRPC's, composed once when the server starts: they are
typed, see a `Call` instead of a context, and cost one function call each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError, Message
from grpc import aio

from portico_contract import ContractError, Method, methods
from portico_kit.call import Call, Client, Records
from portico_kit.clock import Clock
from portico_kit.errors import (
    AnswerTooLargeError,
    DomainError,
    MalformedMessageError,
    PayloadTooLargeError,
)
from portico_kit.ids import new_id
from portico_kit.rpc.streams import Serve, Streams, write_all
from portico_kit.service import MAX_MESSAGE_BYTES, Service

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
class Pipeline:
    """The way of every call. The interceptors stand in the list that is given, outermost first."""

    errors: ErrorsInterceptor
    interceptors: Sequence[Interceptor]
    clock: Clock
    records: Records
    streams: Streams = field(default_factory=Streams)

    def handlers(
        self, service: Service, *, behind_gateway: bool
    ) -> Mapping[str, grpc.RpcMethodHandler[Any, Any]]:
        """The handlers of a service, by method name.

        Args:
            behind_gateway: whether callers come through our gateway, whose word
                about the client's address we take.

        Raises:
            ContractError: if the service lacks a method of the contract.
        """
        return {
            method.name: self._handler(method, service.servicer, behind_gateway)
            for method in methods(service.descriptor)
        }

    def _handler(
        self, method: Method, servicer: object, behind_gateway: bool
    ) -> grpc.RpcMethodHandler[Any, Any]:
        serve = getattr(servicer, method.name, None)
        if serve is None:
            raise ContractError(f"{type(servicer).__name__} does not serve {method.path}")
        if method.streaming:
            return self._stream_handler(method, serve, behind_gateway)
        proceed = _compose(self.interceptors, _checked(serve))

        async def handle(sent: bytes, context: Context) -> bytes:
            call = _call(method, context, self, behind_gateway)
            request = _parse(sent, method)
            way = proceed if isinstance(request, Message) else _refuse(request)
            response = await self.errors(request, call, way, context)
            answer = response.SerializeToString()
            if len(answer) > MAX_MESSAGE_BYTES:
                await self.errors(request, call, _refuse(AnswerTooLargeError()), context)
            if call.reply_metadata:
                await context.send_initial_metadata(tuple(call.reply_metadata.items()))
            return answer

        # Messages are taken apart and put together here: the engines refuse one that is
        # too large as they refuse a caller whose budget is used up.
        return grpc.unary_unary_rpc_method_handler(
            handle, request_deserializer=_as_it_is, response_serializer=_as_it_is
        )

    def _stream_handler(
        self, method: Method, serve: Serve, behind_gateway: bool
    ) -> grpc.RpcMethodHandler[Any, Any]:
        interceptors = [getattr(each, "stream", each) for each in self.interceptors]

        async def handle(sent: bytes, context: Context) -> None:
            async def write_all_of(request: Any, call: Call) -> Message:
                await write_all(
                    *(serve, method, self.streams, request, call),
                    *(context.write, MAX_MESSAGE_BYTES),
                )
                return method.response()

            call = _call(method, context, self, behind_gateway)
            request = _parse(sent, method)
            way = (
                _compose(interceptors, write_all_of)
                if isinstance(request, Message)
                else _refuse(request)
            )
            await self.errors(request, call, way, context)

        return grpc.unary_stream_rpc_method_handler(
            handle, request_deserializer=_as_it_is, response_serializer=_as_it_is
        )


def _as_it_is(message: bytes) -> bytes:
    return message


def _parse(sent: bytes, method: Method) -> Message | DomainError:
    """The request, or why there is none."""
    if len(sent) > MAX_MESSAGE_BYTES:
        return PayloadTooLargeError()
    try:
        return method.request.FromString(sent)
    except DecodeError:
        return MalformedMessageError()


def _refuse(error: DomainError) -> Proceed:
    async def refuse(request: Any, call: Call) -> NoReturn:
        raise error

    return refuse


def _checked(serve: Proceed) -> Proceed:
    """The service, inside of all interceptors: it has looked at the caller's rights, and its
    answer has an entity tag, which is kept with it."""

    async def answer(request: Any, call: Call) -> Message:
        response = await serve(request, call)
        call.require_authorized()
        call.tag(response)
        return response

    return answer


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


def _call(method: Method, context: Context, pipeline: Pipeline, behind_gateway: bool) -> Call:
    metadata = _fields(context.invocation_metadata() or ())
    return Call(
        method=method,
        metadata=metadata,
        client=_client(metadata, context, behind_gateway),
        request_id=_request_id(metadata.get("x-request-id", "")),
        now=pipeline.clock(),
        records=pipeline.records,
    )


def _fields(pairs: Collection[tuple[str, str | bytes]]) -> dict[str, str]:
    """The header fields; several of one name are one list (RFC 9110, section 5.3)."""
    fields = {key: value for key, value in pairs if isinstance(value, str)}
    if len(fields) == len(pairs):
        return fields
    several: dict[str, list[str]] = {}
    for key, value in pairs:
        if isinstance(value, str):
            several.setdefault(key, []).append(value)
    return {key: ", ".join(values) for key, values in several.items()}


def _client(metadata: Mapping[str, str], context: Context, behind_gateway: bool) -> Client:
    # The gateway knows the client behind the proxies that it trusts, and strips the
    # headers from its callers. A direct caller is known by its connection alone.
    said = metadata if behind_gateway else {}
    address = said.get("x-edge-address") or _peer_address(context.peer() or "")
    # gRPC keeps "user-agent" for its own libraries: the pages name the browser's beside it.
    user_agent = said.get("x-edge-user-agent") or metadata.get("user-agent", "")
    return Client(address=address[:64], user_agent=user_agent[:400])


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
