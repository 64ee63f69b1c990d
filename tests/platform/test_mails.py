"""How many mails one can have sent to a stranger, through the whole platform."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import aiohttp

from portico_kit.testing.waiting import eventually
from tests.platform.conftest import Tenant
from tests.stack import Stack

PATIENCE = 10.0  # seconds


async def mails_to(stack: Stack, address: str) -> list[dict[str, Any]]:
    """What arrived in the mailbox for an address."""
    async with (
        aiohttp.ClientSession(stack.mailbox_url) as session,
        session.get("/messages") as answer,
    ):
        found = await answer.json()
    messages = found["messages"] if isinstance(found, dict) else found
    return [message for message in messages if address in message["to"]]


async def test_invite_revoke_and_invite_again_sends_at_most_the_budget(
    stack: Stack, tenant: Tenant
) -> None:
    address = f"stranger.{uuid4().hex[:12]}@example.com"
    path = f"/organizations/{tenant.organization_id}/invitations"
    body = {"email": address, "role": "viewer"}
    for _ in range(3):
        made = await tenant.client.call("POST", path, body, expect=201)
        await tenant.client.call("DELETE", f"/invitations/{made['id']}", expect=204)
    for _ in range(5):
        await tenant.client.call("POST", path, body, expect=429)

    async def arrived() -> bool:
        return len(await mails_to(stack, address)) >= 3

    await eventually(arrived, within=PATIENCE)
    await asyncio.sleep(1)
    assert len(await mails_to(stack, address)) == 3
