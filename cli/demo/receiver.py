"""A customer's webhook receiver: checks each signature, and can be told to fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True)
class Received:
    """One request that came in.

    Args:
        headers: its Standard Webhooks headers.
        payload: the event.
        verified: whether the signature was right.
        status: what was answered.
    """

    headers: dict[str, str]
    payload: Any
    verified: bool
    status: int


@dataclass
class Receiver:
    """What a customer's server is: an address, a secret, and a mood.

    Args:
        url: where it listens.
        secret: the signing secret; empty until the webhook is created.
        healthy: whether it accepts what it gets, or answers 500.
    """

    url: str = ""
    secret: str = ""
    healthy: bool = True
    inbox: asyncio.Queue[Received] = field(default_factory=asyncio.Queue)

    async def take(self, request: web.Request) -> web.Response:
        """Receives an event."""
        body = await request.read()
        headers = {k.lower(): v for k, v in request.headers.items() if "webhook-" in k.lower()}
        verified = self._verifies(body, headers)
        status = (204 if self.healthy else 500) if verified else 401
        await self.inbox.put(Received(headers, json.loads(body), verified, status))
        return web.Response(status=status)

    async def next(self, *, seconds: float, event_type: str = "", delivery: str = "") -> Received:
        """Waits for the next event of a type or a webhook-id and lets others pass.

        Raises:
            TimeoutError: if none comes in time.
        """
        async with asyncio.timeout(seconds):
            while True:
                received = await self.inbox.get()
                is_type = event_type in ("", received.payload.get("type"))
                if is_type and delivery in ("", received.headers.get("webhook-id")):
                    return received

    def _verifies(self, body: bytes, headers: dict[str, str]) -> bool:
        try:
            Webhook(self.secret).verify(body, headers)
        except (WebhookVerificationError, ValueError):
            return False
        return True


@asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    """A receiver on a free loopback port."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/events", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
        yield receiver
    finally:
        await runner.cleanup()
