"""The replay as the contract shows it."""

from __future__ import annotations

from portico.webhooks.v1 import replay_pb2 as pb

from portico_kit.clock import timestamp
from server.features.webhooks.replays.models import Replay
from server.features.webhooks.replays.repository import Ended


def replay(row: Replay, ended: Ended) -> pb.Replay:
    """The message for a replay.

    Args:
        ended: deliveries that its row does not count yet.
    """
    return pb.Replay(
        id=str(row.id),
        webhook_id=str(row.webhook_id),
        organization_id=str(row.organization_id),
        status=row.status,
        event_types=row.event_types,
        since=timestamp(row.since),
        until=timestamp(row.until),
        max_per_second=row.max_per_second,
        state=row.state,
        failure_reason=row.failure_reason,
        event_count=row.last - row.first + 1,
        examined=row.position - row.first + 1,
        found=row.found,
        done=row.done + ended.done,
        failed=row.failed + ended.failed,
        created_at=timestamp(row.created_at),
        ended_at=timestamp(row.ended_at),
    )
