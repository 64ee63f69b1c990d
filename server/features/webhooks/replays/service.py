"""Replays: the methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portico.webhooks.v1 import replay_service_pb2 as pb
from portico.webhooks.v1.replay_pb2 import Replay as ReplayMessage
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.call import Call
from portico_kit.clock import requested_moment
from portico_kit.errors import FieldViolation, InvalidRequestError, invalid
from portico_kit.ids import new_id, parse_id
from portico_kit.paging import Cursors
from server.common.records import Event
from server.common.times import KEPT
from server.features.webhooks.errors import (
    ReplayNotFoundError,
    ReplayRunningError,
    WebhookDisabledError,
    WebhookNotFoundError,
)
from server.features.webhooks.event_types import TEST_EVENT, EventTypes
from server.features.webhooks.models import ALL_EVENTS, Webhook
from server.features.webhooks.names import REPLAY_TASK
from server.features.webhooks.replays import messages
from server.features.webhooks.replays.models import (
    ALL_PAST_EVENTS,
    DEFAULT_RATE,
    FAILED_EVENTS,
    Replay,
)
from server.features.webhooks.replays.repository import (
    Ended,
    ReplayRepository,
    count_ended,
    forget_deliveries,
)
from server.features.webhooks.repository import WebhookRepository

# How long before a webhook was disabled an event may have been created that found it disabled.
LAG = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ReplayService:
    """Serves portico.webhooks.v1.ReplayService."""

    cursors: Cursors
    event_types: EventTypes

    async def CreateReplay(
        self, request: pb.CreateReplayRequest, call: Call
    ) -> pb.CreateReplayResponse:
        webhook = await _find_webhook(request.webhook_id, call)
        self._require_types(request.event_types, webhook, call)
        if not webhook.enabled:
            raise WebhookDisabledError
        since, until = await _interval(request, webhook, call)
        running = await ReplayRepository(call.db).find_active(webhook.id)
        if running is not None:
            raise ReplayRunningError(replay_id=str(running))
        replay = _new_replay(request, webhook, since, until, call.now)
        ReplayRepository(call.db).add(replay)
        await call.db.flush()
        call.tasks.add(REPLAY_TASK)
        call.location(f"/api/v1/replays/{replay.id}")
        return pb.CreateReplayResponse(replay=_record("replay.created", replay, call))

    async def ListReplays(
        self, request: pb.ListReplaysRequest, call: Call
    ) -> pb.ListReplaysResponse:
        paging = self.cursors.paging(request)
        webhook = await _find_webhook(request.webhook_id, call)
        repository = ReplayRepository(call.db)
        page = await repository.list(webhook.id, paging, self.cursors)
        return pb.ListReplaysResponse(
            replays=[messages.replay(row, await repository.progress(row)) for row in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def GetReplay(self, request: pb.GetReplayRequest, call: Call) -> pb.GetReplayResponse:
        replay = await _find(request.replay_id, call)
        ended = await ReplayRepository(call.db).progress(replay)
        return pb.GetReplayResponse(replay=messages.replay(replay, ended))

    async def CancelReplay(
        self, request: pb.CancelReplayRequest, call: Call
    ) -> pb.CancelReplayResponse:
        replay = await _find(request.replay_id, call)
        await ReplayRepository(call.db).lock(replay)
        replay.cancel(call.now)
        ended = await count_ended(call.db, replay.id)
        replay.done += ended.done
        replay.failed += ended.failed
        await forget_deliveries(call.db, replay.id)
        await call.db.flush()
        return pb.CancelReplayResponse(replay=_record("replay.cancelled", replay, call))

    def _require_types(self, wanted: Sequence[str], webhook: Webhook, call: Call) -> None:
        """Refuses event types that the webhook is not sent, or that the caller may not read."""
        self.event_types.require_known(wanted, webhook.organization_id)
        violations = tuple(
            FieldViolation(
                f"event_types[{place}]",
                "EVENT_TYPE_NOT_SUBSCRIBED",
                "is not an event type that the webhook subscribes to",
            )
            for place, name in enumerate(wanted)
            if not self._is_subscribed(name, webhook)
        )
        if violations:
            raise InvalidRequestError(violations=violations)
        self.event_types.require_usable(webhook, wanted or webhook.event_types, call)

    def _is_subscribed(self, name: str, webhook: Webhook) -> bool:
        """Whether a webhook is sent the past events of a type."""
        if name in self.event_types.platform_permissions:
            return name in webhook.event_types
        return name != TEST_EVENT and not {name, ALL_EVENTS}.isdisjoint(webhook.event_types)


async def _find_webhook(webhook_id: str, call: Call) -> Webhook:
    webhook = await WebhookRepository(call.db).find(parse_id(webhook_id), call.tenants)
    if webhook is None:
        raise WebhookNotFoundError
    call.authorize(webhook.organization_id)
    return webhook


async def _find(replay_id: str, call: Call) -> Replay:
    """The replay, if it exists for the caller and the caller may do this to it."""
    replay = await ReplayRepository(call.db).find(parse_id(replay_id), call.tenants)
    if replay is None:
        raise ReplayNotFoundError
    call.authorize(replay.organization_id)
    return replay


async def _interval(
    request: pb.CreateReplayRequest, webhook: Webhook, call: Call
) -> tuple[datetime, datetime]:
    """From when to when the events were created.

    Raises:
        InvalidRequestError: naming the field that is to blame.
    """
    since, until = requested_moment(request, "since"), requested_moment(request, "until")
    until = call.now if until is None else min(until, call.now)
    if since is None:
        since, field = await _default_since(request.status, webhook, call), "until"
    elif since < call.now - KEPT:
        raise invalid("since", "TOO_OLD", "is more than 30 days ago")
    else:
        field = "since"
    if since >= until:
        raise invalid(field, "INTERVAL_EMPTY", "until is not after since")
    return since, until


async def _default_since(status: str, webhook: Webhook, call: Call) -> datetime:
    earliest = call.now - KEPT
    if status == FAILED_EVENTS:
        return earliest
    if status == ALL_PAST_EVENTS or not webhook.has_missed(call.now):
        raise invalid("since", "SINCE_REQUIRED", "is required")
    assert webhook.missed_since is not None
    return max(earliest, await _first_missed(call.db, webhook, webhook.missed_since))


async def _first_missed(db: AsyncSession, webhook: Webhook, since: datetime) -> datetime:
    """When the first event was created that found the webhook disabled."""
    query = select(func.min(Event.created_at)).where(
        Event.organization_id == webhook.organization_id,
        Event.created_at.between(since - LAG, since),
        Event.fanned_out_at >= since,
    )
    return await db.scalar(query) or since


def _new_replay(
    request: pb.CreateReplayRequest,
    webhook: Webhook,
    since: datetime,
    until: datetime,
    now: datetime,
) -> Replay:
    rate = request.max_per_second if request.HasField("max_per_second") else DEFAULT_RATE
    return Replay(
        id=new_id(),
        webhook_id=webhook.id,
        organization_id=webhook.organization_id,
        status=request.status,
        event_types=sorted(request.event_types),
        since=since,
        until=until,
        max_per_second=rate,
        next_step_at=now,
        paced_until=now - timedelta(seconds=1),
        created_at=now,
    )


def _record(action: str, replay: Replay, call: Call) -> ReplayMessage:
    """Records what was done to a replay, and shows it."""
    shown = messages.replay(replay, Ended())
    call.record(action, organization_id=replay.organization_id, target_id=replay.id, data=shown)
    return shown
