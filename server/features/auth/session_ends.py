"""How a session ends before its time: the row, the audit log, and the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import SQLColumnExpression, String, cast, func, insert, literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute

from portico_contract import as_json, redacted
from portico_kit.call import Call
from portico_kit.credentials import Principal
from portico_kit.ids import new_id
from server.common.records import record_each
from server.features.auth import messages
from server.features.auth.models import Session, SessionEnd
from server.features.auth.names import SESSION_ENDS_TASK
from server.features.users import ports

ENDED = "session.ended"
# Ends of one person's sessions that one call records. Beyond it is no person, and the owner
# who resets the password must not wait for a log.
MOST = 10_000

# Why a session ends; see `Session.end_reason` in the contract.
EndReason = (
    Literal["signed_out", "revoked", "refresh_token_reused", "reported", "provider_signed_out"]
    | ports.EndReason
)


def end_session(
    session: Session,
    reason: EndReason,
    call: Call,
    *,
    action: str = ENDED,
    actor: Principal | None = None,
) -> None:
    """Ends a session that holds, and records it.

    Args:
        action: what the audit log calls it, if it is more than an end.
        actor: who ends it, if it is not the call's principal.
    """
    if session.revoked_at is None:
        call.db.add(SessionEnd(id=new_id(), session_id=session.id))
        call.tasks.add(SESSION_ENDS_TASK)
    session.revoke(call.now)
    shown = messages.session(session, None)
    shown.MergeFrom(messages.session_end(session.user_id, reason, call.now))
    call.record(action, target_id=session.id, data=shown, event=ENDED, actor=actor)


async def record_ends(
    session_ids: Sequence[UUID],
    user_id: UUID,
    reason: EndReason,
    call: Call,
    actor: Principal | None,
) -> None:
    """Records the ends of many sessions of a person, once each; of `MOST` at the most.

    There may be thousands: somebody who makes more and more of them must not keep the
    owner from ending them all. So the database writes what each entry and event shows.

    Args:
        actor: who has ended them, if it is not the call's principal.
    """
    if session_ids:
        notes = [{"id": new_id(), "session_id": each} for each in session_ids]
        await call.db.execute(insert(SessionEnd), notes)
        call.tasks.add(SESSION_ENDS_TASK)
    end = messages.session_end(user_id, reason, call.now)
    await record_each(
        call,
        ENDED,
        session_ids[:MOST],
        Session.id,
        details=_shown(redacted(end)),
        data=_shown(as_json(end), ipAddress=Session.ip_address),
        actor=actor,
    )


def _shown(end: Mapping[str, Any], **more: SQLColumnExpression[str]) -> SQLColumnExpression[Any]:
    """`messages.session` as an expression: what is the same for all, and each row's own."""
    own: dict[str, SQLColumnExpression[Any]] = {
        "id": cast(Session.id, String),
        "userAgent": Session.user_agent,
        "organizationId": func.coalesce(cast(Session.organization_id, String), ""),
        "createdAt": _timestamp(Session.created_at),
        "lastUsedAt": _timestamp(Session.last_used_at),
        "expiresAt": _timestamp(Session.expires_at),
        **more,
    }
    pairs = [part for name, value in own.items() for part in (literal(name, String), value)]
    return literal(dict(end), JSONB).op("||", return_type=JSONB)(func.jsonb_build_object(*pairs))


def _timestamp(moment: InstrumentedAttribute[datetime]) -> SQLColumnExpression[str]:
    """A moment as JSON has it, "2026-11-26T05:17:27.000000Z"."""
    return func.to_char(func.timezone("UTC", moment), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
