"""Turns an exception that nobody expected into INTERNAL, without a word from inside.

gRPC would send the text of the exception to the caller. Methods are guarded when
they are registered: an interceptor would wrap each of them anew at every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import grpc
import structlog

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]

log = structlog.get_logger("edge")


class Guarded:
    """The side of a server that servicers are registered with; guards their unary methods."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Registers the methods of a service."""
        guarded = {
            name: _guard(handler, f"/{service}/{name}") for name, handler in handlers.items()
        }
        self._server.add_registered_method_handlers(service, guarded)

    def add_generic_rpc_handlers(self, _handlers: Iterable[Any]) -> None:
        """Leaves out what generated code names a second time, for servers of earlier days."""


def _guard(handler: Handler, method: str) -> Handler:
    behaviour = handler.unary_unary
    if behaviour is None:
        return handler
    return grpc.unary_unary_rpc_method_handler(
        _guarded(behaviour, method),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _guarded(behaviour: Callable[..., Any], method: str) -> Callable[..., Any]:
    async def guarded(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await behaviour(request, context)
        except grpc.aio.AbortError:
            raise
        except Exception:
            log.exception("unexpected", rpc=method)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")

    return guarded
