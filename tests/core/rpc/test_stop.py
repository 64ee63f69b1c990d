"""A core that stops answers each call that it has taken, whoever calls at that moment."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import pytest
from google.protobuf.message import Message
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as pb
from portico.auth.v1 import auth_service_pb2_grpc as grpc_pb

from portico_kit.call import Call
from portico_kit.clock import utc_now
from portico_kit.rpc.pipeline import Context, Pipeline, Proceed
from portico_kit.rpc.server import pipeline_server
from portico_kit.service import Service
from portico_kit.testing.waiting import eventually
from server.common.records import RECORDS

CALLERS = 12
ROUNDS = 5


class Answering:
    """Serves every method, after a moment, and knows which calls it has taken."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def __getattr__(self, method: str) -> Any:
        return self._answer

    async def _answer(self, request: Message, call: Call) -> Message:
        self.taken.add(call.request_id)
        await asyncio.sleep(0.005)
        return pb.LoginResponse()


async def unchanged(request: Any, call: Call, proceed: Proceed, context: Context) -> Message:
    return await proceed(request, call)


async def keep_calling(port: int, numbers: Any, unanswered: dict[str, str]) -> None:
    """Calls again and again over one channel, and keeps what had no answer."""
    options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
    async with aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        stub = grpc_pb.AuthServiceStub(channel)
        while True:
            request_id = str(next(numbers))
            try:
                await stub.Login(pb.LoginRequest(), metadata=[("x-request-id", request_id)])
            except aio.AioRpcError as error:
                unanswered[request_id] = f"{error.code().name}: {error.details()}"
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("engine", ["pygrpc-native", "grpcio"])
async def test_a_stop_loses_no_answer_of_a_call_that_was_taken(engine: str) -> None:
    numbers = count()
    for _ in range(ROUNDS):
        await stop_under_way(engine, numbers)


async def stop_under_way(engine: str, numbers: Any) -> None:
    service, unanswered = Answering(), dict[str, str]()
    service_of = Service(pb.DESCRIPTOR.services_by_name["AuthService"], service)
    server = pipeline_server(engine, Pipeline(unchanged, (), utc_now, RECORDS), [service_of])
    port = await server.listen_tcp("127.0.0.1", 0)
    callers = [asyncio.create_task(keep_calling(port, numbers, unanswered)) for _ in range(CALLERS)]
    await eventually(lambda: len(service.taken) > 4 * CALLERS)
    await server.stop()
    await eventually(lambda: bool(unanswered))
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert {key: said for key, said in unanswered.items() if key in service.taken} == {}
