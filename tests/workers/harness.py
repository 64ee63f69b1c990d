"""What the tests of the workers share: tenants with webhooks, receivers, and driven time.

Events and mails are put where the core puts them, as rows of the outbox.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from standardwebhooks import Webhook as Verifier

from portico_kit.clock import utc_now
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.storage.base import sessions
from portico_kit.testing.waiting import eventually
from server.common.records import Event
from server.features.emails.models import EMAIL_PURPOSE, Email
from server.features.organizations.models import Organization
from server.features.webhooks.models import Attempt, Delivery, Webhook
from server.features.webhooks.secret import new_secret, seal

_numbers = itertools.count(1)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Received:
    """A request that a receiver got."""

    headers: dict[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    def verified_by(self, secret: str) -> Any:
        """The payload, if the signature is good; what a customer's code does."""
        return Verifier(secret).verify(self.body, self.headers)


async def accept(_request: web.Request) -> web.Response:
    """How a receiver answers if nothing else is said."""
    return web.Response(text="thanks")


def answer(status: int, body: bytes = b"", **headers: str) -> Handler:
    """A receiver that always answers the same."""

    async def handler(_request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, headers=named)

    return handler


def hanging(seconds: float) -> Handler:
    """A receiver that takes its time."""

    async def handler(_request: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.Response()

    return handler


@dataclass
class Receiver:
    """A customer's endpoint on this machine, which remembers what it got.

    Attributes:
        handler: how it answers; a test may change it at any time.
    """

    port: int = 0
    handler: Handler = accept
    requests: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Takes a request down and answers it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Received(headers, await request.read()))
        return await self.handler(request)

    async def got(self, count: int, within: float = 10.0) -> list[Received]:
        """Its requests, once there are so many."""
        await eventually(lambda: len(self.requests) >= count, within)
        assert len(self.requests) == count
        return self.requests


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver, up as long as the block lasts."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass(frozen=True)
class Subscription:
    """A webhook and the secret that its owner was shown."""

    id: UUID
    secret: str


class Tenants:
    """Puts into the database what the core would, and reads what became of it."""

    def __init__(self, engine: AsyncEngine, secrets: Secrets) -> None:
        self.sessions = sessions(engine)
        self.secrets = secrets

    async def organization(self) -> UUID:
        """A new organization."""
        number = next(_numbers)
        return await self._add(Organization(name=f"Tenant {number}", slug=f"tenant-{number}"))

    async def webhook(
        self, organization_id: UUID, url: str, *event_types: str, enabled: bool = True
    ) -> Subscription:
        """A new webhook; for every event if none is named."""
        secret = new_secret()
        webhook_id = await self._add(
            Webhook(
                organization_id=organization_id,
                url=url,
                event_types=list(event_types or ("*",)),
                description="",
                enabled=enabled,
                sealed_secret=seal(self.secrets, secret),
            )
        )
        return Subscription(webhook_id, secret)

    async def event(self, organization_id: UUID, event_type: str = "key.created") -> UUID:
        """An event that is to be told."""
        data = {"id": str(new_id()), "name": "Schlüssel"}
        return await self._add(Event(organization_id=organization_id, type=event_type, data=data))

    async def events(self, organization_id: UUID, count: int) -> None:
        """Many events at once."""
        async with self.sessions.begin() as db:
            for _ in range(count):
                db.add(Event(organization_id=organization_id, type="key.created", data={}))

    async def email(self, template: str, recipient: str = "ada@example.com", **says: str) -> UUID:
        """A mail that is to be sent."""
        sealed = self.secrets.seal(EMAIL_PURPOSE, json.dumps(says).encode())
        return await self._add(
            Email(recipient=recipient, template=template, sealed_variables=sealed)
        )

    async def find_email(self, email_id: UUID) -> Email:
        """What became of a mail."""
        async with self.sessions() as db:
            return await db.get_one(Email, email_id)

    async def find_event(self, event_id: UUID) -> Event:
        """What became of an event."""
        async with self.sessions() as db:
            return await db.get_one(Event, event_id)

    async def deliveries(self, webhook: Subscription) -> Sequence[Delivery]:
        """The deliveries to a webhook, oldest first."""
        query = select(Delivery).where(Delivery.webhook_id == webhook.id).order_by(Delivery.id)
        async with self.sessions() as db:
            return (await db.scalars(query)).all()

    async def delivery(self, webhook: Subscription) -> Delivery:
        """The only delivery to a webhook."""
        (found,) = await self.deliveries(webhook)
        return found

    async def attempts(self, delivery: Delivery) -> Sequence[Attempt]:
        """The attempts of a delivery, oldest first."""
        query = select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.number)
        async with self.sessions() as db:
            return (await db.scalars(query)).all()

    async def attempt(self, webhook: Subscription) -> Attempt:
        """The only attempt of the only delivery to a webhook."""
        (found,) = await self.attempts(await self.delivery(webhook))
        return found

    async def redeliver(self, delivery: Delivery, now: datetime) -> None:
        """Asks for a delivery once more."""
        async with self.sessions.begin() as db:
            (await db.get_one(Delivery, delivery.id)).redeliver(now)

    async def change(self, webhook: Subscription, **fields: Any) -> None:
        """Changes a webhook."""
        async with self.sessions.begin() as db:
            await db.execute(update(Webhook).where(Webhook.id == webhook.id).values(**fields))

    async def delete(self, webhook: Subscription) -> None:
        """Deletes a webhook."""
        async with self.sessions.begin() as db:
            await db.execute(delete(Webhook).where(Webhook.id == webhook.id))

    async def let_claims_run_out(self) -> None:
        """What waiting for half a minute does."""
        async with self.sessions.begin() as db:
            await db.execute(
                update(Delivery)
                .where(Delivery.claimed_until.is_not(None))
                .values(claimed_until=utc_now())
            )

    async def _add(self, row: Any) -> UUID:
        row.id = new_id()
        async with self.sessions.begin() as db:
            db.add(row)
        identity: UUID = row.id
        return identity
