"""Batches of calls with grpcio: those that arrive while a batch is answered are the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import grpc

from edge.ratelimit.service import Answer, Failure, Service
from edge.recovery import RecoveringServer

Context = grpc.aio.ServicerContext[bytes, bytes]


class CallBatcher:
    """The handler of a unary method, which answers calls in batches."""

    def __init__(self, answer: Service, executor: Executor) -> None:
        """Takes what answers a batch, and the single thread in which it waits for Valkey."""
        self._answer = answer
        self._executor = executor
        self._waiting: list[tuple[bytes, asyncio.Future[Answer]]] = []
        self._working: asyncio.Task[None] | None = None

    async def __call__(self, request: bytes, context: Context) -> bytes:
        """Answers one call."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answered))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        answer = await answered
        if isinstance(answer, Failure):
            await context.abort(answer.code, answer.message)
        assert isinstance(answer, bytes)
        return answer

    def register(self, server: RecoveringServer, name: str, method: str) -> None:
        """Adds the method to a server."""
        handler: Any = grpc.unary_unary_rpc_method_handler(self.__call__)
        server.add_registered_method_handlers(name, {method: handler})

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            requests = [request for request, _ in batch]
            try:
                answers = await loop.run_in_executor(self._executor, self._answer, requests)
            except Exception as error:
                _reject_all(batch, error)
            else:
                _resolve_all(batch, answers)
        self._working = None


def _resolve_all(
    batch: Sequence[tuple[bytes, asyncio.Future[Answer]]], answers: Sequence[Answer]
) -> None:
    for (_, answered), answer in zip(batch, answers, strict=True):
        if not answered.done():  # the caller may have cancelled
            answered.set_result(answer)


def _reject_all(batch: Sequence[tuple[bytes, asyncio.Future[Answer]]], error: Exception) -> None:
    for _, answered in batch:
        if not answered.done():
            answered.set_exception(error)
