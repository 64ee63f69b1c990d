"""What the tasks of a worker process work with, built once. It reads like a parts list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from portico_kit.clock import Clock, utc_now
from portico_kit.storage.base import create_engine, sessions
from portico_kit.tasks.coalescing import CoalescingJob
from portico_kit.tasks.names import DELIVERY_TASK, EMAIL_TASK, EVENT_TASK
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

# Every table must be known, not only those used here: rows are written in the order of
# their foreign keys, which reach into other features.
import server.migrations.models  # noqa: F401
from server.features.auth.signing_keys import SigningKeys
from server.features.emails.reachability import Reachability
from server.features.emails.sender import EmailSender
from server.features.emails.smtp import SmtpTransport
from server.features.webhooks.addresses import AddressPolicy
from server.features.webhooks.delivery.backlog import Backlog
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery.http import WebhookClient
from workers.housekeeping import Housekeeping
from workers.schedule import BACKLOG_TASK, EXPIRED_TASK, SIGNING_KEYS_TASK
from workers.settings import WorkerSettings
from workers.tasks import Job

# A delivery's record is one short transaction; a few connections serve many deliveries.
POOL_SIZE = 20
# How long deliveries under way may take to finish, in seconds, when a worker stops.
PATIENCE = 8.0


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a worker, and what has to be closed."""

    jobs: Mapping[str, Job]
    emails: EmailSender
    deliverer: Deliverer
    client: WebhookClient
    redis: Redis
    engine: AsyncEngine

    async def check_mail_server(self) -> None:
        """Says in the log whether mails can be sent."""
        await self.emails.server.check(self.emails.transport)

    async def close(self) -> None:
        """Lets deliveries under way finish, and every connection go."""
        await self.deliverer.close(PATIENCE)
        await self.client.close()
        await self.redis.aclose()
        await self.engine.dispose()


async def build(settings: WorkerSettings, clock: Clock = utc_now) -> Context:
    """Builds everything, on the event loop that will run it; nothing is connected yet."""
    engine = create_engine(settings.database_url, pool_size=POOL_SIZE)
    redis = Redis.from_url(settings.redis_url, socket_connect_timeout=1, socket_timeout=2)
    database, secrets = sessions(engine), settings.secrets

    policy = AddressPolicy(allow_loopback=settings.webhook_allow_loopback)
    client = WebhookClient(policy, clock, f"Portico-Webhooks/{version('portico')}")
    deliverer = Deliverer(database, client, secrets, clock)
    transport = SmtpTransport.from_url(settings.smtp_url)
    emails = EmailSender(
        sessions=database,
        transport=transport,
        secrets=secrets,
        clock=clock,
        sender=settings.mail_from,
        public_url=settings.public_url,
        server=Reachability(f"{transport.hostname}:{transport.port}"),
    )
    housekeeping = Housekeeping(database, SigningKeys(engine, secrets, clock), clock)
    jobs: Mapping[str, Job] = {
        EVENT_TASK: EventFanOut(database, clock, deliverer.deliver),
        DELIVERY_TASK: deliverer.deliver_due,
        BACKLOG_TASK: Backlog(database, clock, deliverer.deliver),
        EMAIL_TASK: emails,
        EXPIRED_TASK: housekeeping.delete_expired,
        SIGNING_KEYS_TASK: housekeeping.rotate_signing_keys,
    }
    coalesced = {name: CoalescingJob(job) for name, job in jobs.items()}
    return Context(coalesced, emails, deliverer, client, redis, engine)
