"""`portico demo`: plays the tour and ends with 0 only if each answer was right."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack

import aiohttp
import grpc.aio

from cli.demo import keys, people, rpc, webhooks
from cli.demo.console import Console, WrongAnswer
from cli.demo.inbox import Inbox
from cli.demo.memory import Memory
from cli.demo.people import Stage
from cli.demo.receiver import Receiver, listening
from cli.demo.rest import Rest
from cli.run.errors import RunError
from cli.run.settings import Settings, read_settings

TIMEOUT = aiohttp.ClientTimeout(total=20)


def main() -> int:
    """Plays the tour against the platform that the environment names.

    Returns:
        0 if each answer was right, 1 if not.
    """
    console = Console()
    began = time.monotonic()
    try:
        asyncio.run(play(read_settings(os.environ), console))
        problem = None
    except (WrongAnswer, RunError) as error:
        problem = str(error)
    except aiohttp.ClientConnectionError as error:
        problem = f"no answer ({error}): start the platform with `make run`"
    except grpc.aio.AioRpcError as error:
        problem = f"gRPC answered {error.code().name}: {error.details()}"
    except KeyboardInterrupt:
        return 130
    console.verdict(problem, time.monotonic() - began)
    return 1 if problem else 0


async def play(settings: Settings, console: Console) -> None:
    """Opens the connections and tells the story."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(
            aiohttp.ClientSession(settings.base_url, timeout=TIMEOUT)
        )
        mails = await stack.enter_async_context(
            aiohttp.ClientSession(settings.mailbox_url, timeout=TIMEOUT)
        )
        receiver = await stack.enter_async_context(listening())
        memory = Memory(settings.state_dir / "demo.json")
        stage = Stage(Rest(api, console), Inbox(mails, console), console, memory)
        await tour(stage, receiver, settings.grpc_address)


async def tour(stage: Stage, receiver: Receiver, grpc_address: str) -> None:
    """The whole tour, in the order in which a customer meets the platform."""
    alice = await people.join(stage, people.ALICE)
    await people.look_in_the_mirror(stage, alice)
    organization = await people.found_organization(stage, alice)
    alice = await people.switch(stage, alice, organization)
    bob = await people.join(stage, people.BOB)
    await people.invite(stage, alice, organization, bob)

    await keys.come_and_go(stage, alice, organization)

    webhook = await webhooks.subscribe(stage, alice, organization, receiver)
    stage.console.step("Causing an event")
    await keys.create(stage, alice, organization)
    first = await webhooks.see_delivery(stage, receiver, "key.created")
    failed = await webhooks.fail_once(stage, alice, webhook, receiver)

    # A minute goes by until the retry: time for the rest of the tour.
    await rpc.call_with_stubs(stage, grpc_address, bob, organization)
    await rpc.call_with_buf(stage, grpc_address, bob)
    await keys.run_into_the_limit(stage, alice, organization)
    await webhooks.redeliver(stage, alice, first.headers["webhook-id"], receiver)
    await webhooks.see_retry(stage, alice, failed, receiver)
    await webhooks.unsubscribe(stage, alice, webhook)
