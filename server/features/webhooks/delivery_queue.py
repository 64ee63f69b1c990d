"""What the workers ask about deliveries: which are due, and what came of an attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import earliest_id
from portico_kit.storage.base import delete_batch
from portico_kit.storage.statements import compiled, run_in
from server.features.webhooks.delivery_settings import USUAL, DeliverySettings
from server.features.webhooks.models import DELIVERED, FAILED, PENDING, Delivery, Webhook
from server.features.webhooks.payload import event_payload

GONE_STATUS = 410
# Longer than an attempt can take. A worker that dies leaves its claims to run out.
LEASE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class DueWebhook:
    """A webhook that has something to be sent.

    Attributes:
        slow: whether its receiver takes long.
        limited: whether there is a limit to its attempts.
    """

    webhook_id: UUID
    organization_id: UUID
    slow: bool
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that one worker alone may send until the claim runs out.

    Attributes:
        until: when it runs out; also what tells this claim from a later one.
        payload: what is posted, if it is stored.
        event_time: when the event was created; None if it is no longer kept.
        event_data: its data as the text of its JSON; None if it is no longer kept.
        event_organization: whose event it is; None if it is no longer kept.
        organization_id: that of the webhook.
        schedule_position: how many attempts of the retry schedule are used up.
        sealed_previous_secret: of a rotation; None if there was none.
        previous_secret_expires_at: until when deliveries are signed with it, too.
        failing: whether the receiver has accepted nothing for a while.
        slow: whether it takes long.
        ordered: whether others wait for it.
        delay_seconds: when its attempt begins, from the claim on.
        settings: of its webhook.
    """

    delivery_id: UUID
    until: datetime
    payload: str | None
    schedule_position: int
    event_id: UUID
    event_type: str
    event_time: datetime | None
    event_data: str | None
    event_organization: UUID | None
    webhook_id: UUID
    organization_id: UUID
    url: str
    sealed_secret: bytes
    sealed_previous_secret: bytes | None
    previous_secret_expires_at: datetime | None
    failing: bool
    slow: bool
    ordered: bool
    settings: DeliverySettings = USUAL
    delay_seconds: float = 0.0

    @property
    def claimed_at(self) -> datetime:
        """When it was claimed."""
        return self.until - LEASE - self.settings.longer_lease

    @property
    def body(self) -> str | None:
        """The text that is posted; None if the event is no longer kept."""
        if self.payload is not None or self.event_time is None or self.event_data is None:
            return self.payload
        organization_id = self.event_organization or self.organization_id
        return event_payload(
            self.event_id, self.event_type, organization_id, self.event_time, self.event_data
        )


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What came of one attempt.

    Attributes:
        response_status: the HTTP status; None if there was no answer.
        error: why there was no answer.
        retry_after: how long the receiver wants to be left alone; None if it did not say.
        ours: whether the failure is ours: the receiver was not asked.
    """

    started_at: datetime
    duration_ms: int
    response_status: int | None = None
    response_body: str = ""
    error: str = ""
    retry_after: timedelta | None = None
    ours: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the receiver took it."""
        return self.response_status is not None and 200 <= self.response_status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver says that it is no more (RFC 9110, section 15.5.11)."""
        return self.response_status == GONE_STATUS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt makes of its delivery, as it is written down.

    Attributes:
        until: the claim under which it was made.
        next_attempt_at: when to try again; None if it has ended, well or not.
    """

    delivery_id: UUID
    until: datetime
    status: str
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    started_at: datetime
    duration_ms: int
    response_status: int | None
    response_body: str
    error: str


def outcome(claim: Claim, result: AttemptResult, retry_at: datetime | None) -> Outcome:
    """What an attempt comes to.

    Args:
        retry_at: when to try again if it was not accepted; None gives up.
    """
    status = DELIVERED if result.accepted else FAILED if retry_at is None else PENDING
    ended_at = result.started_at + timedelta(milliseconds=result.duration_ms)
    return Outcome(
        delivery_id=claim.delivery_id,
        until=claim.until,
        status=status,
        next_attempt_at=retry_at if status == PENDING else None,
        delivered_at=ended_at if status == DELIVERED else None,
        started_at=result.started_at,
        duration_ms=result.duration_ms,
        response_status=result.response_status,
        response_body=result.response_body,
        error=result.error,
    )


# The parameters of `_SETTLE_MANY`, in the order of the fields of `Outcome`.
_COLUMNS = (
    "delivery_ids",
    "untils",
    "statuses",
    "next_attempts_at",
    "delivered_at",
    "started_at",
    "durations_ms",
    "response_statuses",
    "response_bodies",
    "errors",
)

# A loose index scan: one probe for each webhook that has pending deliveries, however
# many those are.
_DUE_WEBHOOKS = text("""
    with recursive queues(webhook_id) as (
        (select webhook_id from deliveries where next_attempt_at is not null
         order by webhook_id limit 1)
        union all
        select (select webhook_id from deliveries
                where next_attempt_at is not null and webhook_id > queues.webhook_id
                order by webhook_id limit 1)
        from queues where queues.webhook_id is not null
    )
    select webhooks.id as webhook_id, webhooks.organization_id,
           webhooks.slow_since is not null as slow,
           webhooks.max_per_second is not null or webhooks.max_in_flight is not null as limited
    from queues join webhooks on webhooks.id = queues.webhook_id
    where webhooks.enabled and exists (
        select from deliveries
        where deliveries.webhook_id = queues.webhook_id
          and deliveries.next_attempt_at <= :now
          and (deliveries.claimed_until is null or deliveries.claimed_until <= :now)
    )
""")


# Ends the claim with what the attempt came to, and adds the attempt.
_SETTLE = text("""
    with settled as (
        update deliveries set
            status = :status,
            attempt_count = attempt_count + 1,
            schedule_position = schedule_position + 1,
            next_attempt_at = cast(:next_attempt_at as timestamptz),
            claimed_until = null,
            delivered_at = cast(:delivered_at as timestamptz)
        where id = :delivery_id and claimed_until = :until
        returning id, attempt_count
    )
    insert into attempts (delivery_id, number, started_at, duration_ms, response_status,
                          response_body, error)
    select id, attempt_count, :started_at, :duration_ms, cast(:response_status as integer),
           :response_body, :error
    from settled
    returning number
""")

# The same for many. A row that somebody else holds is left out, whoever that is: waiting for
# several rows in whatever order would be a deadlock with a deletion.
_SETTLE_MANY = compiled(
    text("""
    with free as (
        select asked.* from unnest(
            cast(:delivery_ids as uuid[]), cast(:untils as timestamptz[]),
            cast(:statuses as text[]), cast(:next_attempts_at as timestamptz[]),
            cast(:delivered_at as timestamptz[]), cast(:started_at as timestamptz[]),
            cast(:durations_ms as integer[]), cast(:response_statuses as integer[]),
            cast(:response_bodies as text[]), cast(:errors as text[])
        ) as asked(id, until, status, next_attempt_at, delivered_at, started_at, duration_ms,
                   response_status, response_body, error)
        join deliveries on deliveries.id = asked.id and deliveries.claimed_until = asked.until
        for update of deliveries skip locked
    ),
    settled as (
        update deliveries set
            status = free.status,
            attempt_count = attempt_count + 1,
            schedule_position = schedule_position + 1,
            next_attempt_at = free.next_attempt_at,
            claimed_until = null,
            delivered_at = free.delivered_at
        from free where deliveries.id = free.id
        returning deliveries.attempt_count, free.*
    )
    insert into attempts (delivery_id, number, started_at, duration_ms, response_status,
                          response_body, error)
    select id, attempt_count, started_at, duration_ms, response_status, response_body, error
    from settled
    returning delivery_id
"""),
    binary=True,
)

# The fields of a claim, of the delivery, its webhook and its event. The settings are null if the
# webhook has none of its own, else the fields of `DeliverySettings`.
CLAIM_COLUMNS = """
    deliveries.id as delivery_id, deliveries.payload, deliveries.schedule_position,
    deliveries.event_id, deliveries.event_type,
    events.created_at as event_time, events.data::text as event_data,
    events.organization_id as event_organization,
    deliveries.webhook_id, deliveries.organization_id, webhooks.url,
    webhooks.sealed_secret, webhooks.sealed_previous_secret,
    webhooks.previous_secret_expires_at,
    webhooks.failing_since is not null as failing,
    webhooks.slow_since is not null as slow,
    deliveries.ordering_key is not null as ordered,
    case when webhooks.signing <> 'v1' or webhooks.sealed_headers is not null
              or webhooks.retry_pauses is not null or webhooks.timeout_seconds is not null
    then jsonb_build_object(
        'retry_pauses', webhooks.retry_pauses,
        'timeout_seconds', webhooks.timeout_seconds,
        'sealed_headers', encode(webhooks.sealed_headers, 'hex'),
        'signing', webhooks.signing,
        'sealed_private_key', encode(webhooks.sealed_private_key, 'hex'),
        'sealed_previous_private_key', encode(webhooks.sealed_previous_private_key, 'hex'),
        'previous_key_expires_at', webhooks.previous_key_expires_at
    ) end as settings
"""
# A claim outlasts the attempt, whatever time-out its webhook has.
CLAIMED_UNTIL = """
    cast(:until as timestamptz)
    + coalesce(webhooks.timeout_seconds, 0) * interval '1 second'
"""

# Of each webhook that is enabled, those that have been due the longest. Webhooks with limits
# have a statement of their own (limits.py).
_CLAIM = compiled(
    text(f"""
    with chosen as (
        select due.id, due.event_id, webhooks.id as webhook_id
        from unnest(cast(:webhooks as uuid[]), cast(:shares as integer[]))
             as asked(webhook_id, share)
        join webhooks on webhooks.id = asked.webhook_id and webhooks.enabled
             and webhooks.max_per_second is null and webhooks.max_in_flight is null
        cross join lateral (
            select id, event_id from deliveries
            where deliveries.webhook_id = asked.webhook_id
              and next_attempt_at <= :now
              and (claimed_until is null or claimed_until <= :now)
            order by next_attempt_at
            limit asked.share
            for update skip locked
        ) due
    )
    update deliveries set claimed_until = {CLAIMED_UNTIL}
    from chosen join webhooks on webhooks.id = chosen.webhook_id
    left join events on events.id = chosen.event_id
    where deliveries.id = chosen.id
    returning {CLAIM_COLUMNS}
"""),  # noqa: S608 - of constants
    binary=True,
)


async def find_due_webhooks(db: AsyncSession, now: datetime) -> Sequence[DueWebhook]:
    """The webhooks that have something due that nobody has claimed."""
    rows = await db.execute(_DUE_WEBHOOKS, {"now": now})
    return [DueWebhook(**row) for row in rows.mappings()]


async def claim_due(
    db: AsyncSession, turns: Mapping[UUID, int], *, now: datetime, until: datetime
) -> list[Claim]:
    """Claims the deliveries of each webhook that have been due the longest.

    Those of a webhook that is not enabled wait.

    Args:
        turns: how many at the most, by webhook.
        until: when the claims run out; of a webhook with a time-out of its own, so much later.
    """
    asked = {"webhooks": list(turns), "shares": list(turns.values()), "now": now, "until": until}
    return claims_of(await run_in(db, _CLAIM, **asked), until)


def claims_of(rows: Sequence[Any], until: datetime) -> list[Claim]:
    """Claims, of rows with the `CLAIM_COLUMNS`."""
    return [claim_of(dict(zip(row._fields, row, strict=True)), until) for row in rows]


def claim_of(fields: dict[str, Any], until: datetime, delay_seconds: float = 0.0) -> Claim:
    """A claim, of the `CLAIM_COLUMNS` by name.

    Args:
        until: when claims run out whose webhooks have no time-out of their own.
    """
    settings = USUAL
    if (own := fields.pop("settings")) is not None:
        settings = DeliverySettings.read(own)
        until += settings.longer_lease
    return Claim(until=until, settings=settings, delay_seconds=delay_seconds, **fields)


async def record_attempt(db: AsyncSession, outcome: Outcome) -> bool:
    """Writes down an attempt and what follows from it.

    Returns:
        False if the claim had run out, or the delivery is gone: nothing is written.
    """
    return await db.scalar(_SETTLE, asdict(outcome)) is not None


async def record_attempts(db: AsyncSession, outcomes: Sequence[Outcome]) -> set[UUID]:
    """Writes down many attempts at once, each as `record_attempt` does.

    Returns:
        The deliveries that it was written for. Left out is also what somebody else is
        changing at this moment.
    """
    columns = {
        name: [getattr(outcome, field.name) for outcome in outcomes]
        for name, field in zip(_COLUMNS, fields(Outcome), strict=True)
    }
    return {row.delivery_id for row in await run_in(db, _SETTLE_MANY, **columns)}


async def lock_webhook(db: AsyncSession, webhook_id: UUID) -> None:
    """Holds a webhook that will be changed together with one of its deliveries.

    Before the delivery: a deletion takes them in this order, too.
    """
    await db.execute(
        select(Webhook.id).where(Webhook.id == webhook_id).with_for_update(key_share=True)
    )


async def record_health(
    db: AsyncSession, claim: Claim, now: datetime, *, failing: bool, slow: bool
) -> None:
    """Writes down how a receiver does; a healthy one that stays so needs none of this."""
    changes: dict[str, Any] = {}
    if failing and not claim.failing:
        # Of attempts that fail side by side, the first one counts.
        changes["failing_since"] = func.coalesce(Webhook.failing_since, now)
    elif claim.failing and not failing:
        changes |= {"failing_since": None, "failing_step": 0, "disables_at": None}
    if slow != claim.slow:
        changes["slow_since"] = now if slow else None
    await db.execute(
        update(Webhook)
        .where(Webhook.id == claim.webhook_id)
        # What its owner sees of it has not changed.
        .values(updated_at=Webhook.updated_at, **changes)
        .execution_options(synchronize_session=False)
    )


async def delete_ended(db: AsyncSession, before: datetime, limit: int) -> int:
    """Deletes deliveries, and their attempts, that are older than `before`.

    A pending one is kept, unless its webhook is disabled: nobody waits so long.

    Args:
        limit: how many at the most.

    Returns:
        How many there were.
    """
    disabled = select(Webhook.id).where(~Webhook.enabled)
    # Ids begin with the time they were made at, so the primary key answers "older than".
    ended = (Delivery.id < earliest_id(before)) & or_(
        Delivery.status != PENDING, Delivery.webhook_id.in_(disabled)
    )
    return await delete_batch(db, Delivery.id, ended, limit)
