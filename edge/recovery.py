"""Recovers from unexpected exceptions: the caller gets INTERNAL, the log gets the text.

gRPC would send the text to the caller. Handlers are wrapped when they are registered; an
interceptor would wrap them at every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import grpc
import structlog

from portico_kit.rpc.server import Registrar

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]

log = structlog.get_logger("edge")


class RecoveringServer:
    """Registers servicers with a server, and wraps their unary methods."""

    def __init__(self, server: Registrar) -> None:
        self._server = server

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Registers the methods of a service."""
        recovering = {
            name: _with_recovery(handler, f"/{service}/{name}")
            for name, handler in handlers.items()
        }
        self._server.add_registered_method_handlers(service, recovering)

    def add_generic_rpc_handlers(self, _handlers: Iterable[Any]) -> None:
        """Ignores the second registration in generated code, which is for older servers."""


def _with_recovery(handler: Handler, method: str) -> Handler:
    behaviour = handler.unary_unary
    if behaviour is None:
        return handler
    return grpc.unary_unary_rpc_method_handler(
        _recovering(behaviour, method),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _recovering(behaviour: Callable[..., Any], method: str) -> Callable[..., Any]:
    async def recovering(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await behaviour(request, context)
        except grpc.aio.AbortError:
            raise
        except Exception:
            log.exception("unexpected", rpc=method)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")

    return recovering
