"""A provider that does not answer holds up those who sign in with it, and nobody else."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import grpc
from grpc import aio

from tests.core.connections.front_end import FrontEnd, Somebody, new_platform_connection
from tests.core.connections.provider import Provider, running_provider
from tests.core.world import Person, World, refusal

AT_ONCE = 50
# What a provider publishes is kept for an hour.
METADATA_OVER = timedelta(minutes=61)
# What others wait at the most while machines are busy; the one that hangs takes 3 seconds.
AS_USUAL = 2.0


async def test_others_sign_in_as_usual_while_a_provider_hangs(
    world: World, administrator: Person, owner: Person, provider: Provider, connection_id: str
) -> None:
    async with running_provider(person=Somebody().claims()) as hanging:
        slow = await new_platform_connection(world, administrator, hanging.issuer)
        browsers = [FrontEnd(world) for _ in range(AT_ONCE)]
        # More than one browser can have under way: as many as a client keeps connections.
        brought = [
            hanging.authorize(await browser.begin(slow)) for browser in browsers for _ in range(3)
        ]
        hanging.delay = 10
        hung = [
            asyncio.ensure_future(browsers[i // 3].complete(each)) for i, each in enumerate(brought)
        ]
        await asyncio.sleep(0.5)
        began = time.monotonic()
        assert await FrontEnd(world).sign_in_at(provider, connection_id)
        assert await world.sign_in(owner.email)
        assert time.monotonic() - began < AS_USUAL
        assert not any(each.done() for each in hung)
        # The others wait for their turn.
        assert hanging.asked.count("/token") <= 16
        for each in await asyncio.gather(*hung, return_exceptions=True):
            assert isinstance(each, aio.AioRpcError)
            assert refusal(each).code is grpc.StatusCode.UNAVAILABLE
            assert refusal(each).reason == "PROVIDER_UNREACHABLE"


async def test_fifty_who_begin_at_a_provider_that_hangs_ask_it_once(
    world: World, administrator: Person, provider: Provider, connection_id: str
) -> None:
    async with running_provider(person=Somebody().claims()) as hanging:
        slow = await new_platform_connection(world, administrator, hanging.issuer)
        hanging.delay = 10
        hanging.asked.clear()
        with world.clock.later(METADATA_OVER):
            begun = [asyncio.ensure_future(FrontEnd(world).begin(slow)) for _ in range(AT_ONCE)]
            await asyncio.sleep(0.2)
            began = time.monotonic()
            assert await FrontEnd(world).begin(connection_id)
            assert time.monotonic() - began < AS_USUAL
            for each in await asyncio.gather(*begun, return_exceptions=True):
                assert isinstance(each, aio.AioRpcError)
                assert refusal(each).reason == "PROVIDER_UNREACHABLE"
        assert len(hanging.asked) == 1
