"""A core that knows nothing: it answers GetMe with one and the same account.

    python -m bench.baselines.constant /path/of/core.sock

With an Envoy that transcodes and nothing else before it, it shows what a REST
call over gRPC costs before anybody is asked who they are.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import grpc
import pygrpc_native.aio as native
import uvloop
from portico.users.v1.user_pb2 import User
from portico.users.v1.user_service_pb2 import GetMeResponse

ANSWER = GetMeResponse(
    user=User(
        id="01980d1c-7a5b-7c3e-9f00-000000000001",
        email="0123456789abcdef0123456789abcdef@example.com",
        email_verified=True,
        display_name="Ada",
        status="active",
        role="user",
    )
).SerializeToString()


async def get_me(_request: bytes, _context: Any) -> bytes:
    """The same bytes for everybody."""
    return ANSWER


async def serve(path: str) -> None:
    """Serves until SIGTERM."""
    server = native.Server(io_threads=1)
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(get_me)
    server.add_registered_method_handlers("portico.users.v1.UserService", {"GetMe": handler})
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
