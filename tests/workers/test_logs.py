"""Promises about processes whose log cannot be written: the disk of the log is full."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.keys.v1.api_key_service_pb2_grpc import ApiKeyServiceStub
from portico.users.v1 import user_service_pb2 as users
from portico.users.v1.user_service_pb2_grpc import UserServiceStub

from cli.run.process import Child
from portico_kit.tasks.names import EVENT_TASK
from portico_kit.testing.ports import free_ports
from tests.workers.harness import Receiver, Subscription
from tests.workers.processes import Platform

FULL = Path("/dev/full")
INTERNAL_TOKEN = "the-secret-that-internal-callers-share"
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")


@pytest.fixture
def unwritten(platform: Platform) -> Platform:
    """Processes whose every line is lost."""
    return replace(platform, output=FULL)


async def ends_well(child: Child) -> None:
    child.send(signal.SIGTERM)
    async with asyncio.timeout(20):
        assert await child.wait() == 0


async def test_a_worker_works_on(
    unwritten: Platform, webhook: Subscription, receiver: Receiver
) -> None:
    async with unwritten.worker() as worker:
        notifier = unwritten.notifier()
        notifier.notify(EVENT_TASK)
        (request,) = await receiver.got(1, within=20)
        request.verified_by(webhook.secret)
        await asyncio.to_thread(notifier.close)
        await ends_well(worker)


async def test_beat_keeps_time_though_the_broker_is_away_and_that_cannot_be_logged(
    unwritten: Platform,
) -> None:
    elsewhere = replace(unwritten, valkey_url=f"unix://{unwritten.folder}/none.sock")
    async with elsewhere.running("beat", PORTICO_LOG_LEVEL="debug") as (beat,):
        await asyncio.sleep(4)
        assert beat.exit_code is None
        await ends_well(beat)


@pytest.mark.parametrize("engine", ["pygrpc-native", "grpcio"])
async def test_the_core_refuses_what_it_would_refuse_anyway(
    unwritten: Platform, engine: str
) -> None:
    (port,) = free_ports(1)
    variables = {
        "PORTICO_INTERNAL_TOKEN": INTERNAL_TOKEN,
        "PORTICO_GRPC_ENGINE": engine,
        "PORTICO_GRPC_PORT": str(port),
        "PORTICO_LOG_LEVEL": "debug",
    }
    async with (
        unwritten.running("core", **variables) as (core,),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await UserServiceStub(channel).GetMe(
                users.GetMeRequest(), timeout=30, wait_for_ready=True
            )
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ApiKeyServiceStub(channel).VerifyApiKey(
                keys.VerifyApiKeyRequest(secret="pk_test_none"),
                metadata=(("authorization", f"Bearer {INTERNAL_TOKEN}"),),
                timeout=10,
            )
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert core.exit_code is None
        await ends_well(core)
