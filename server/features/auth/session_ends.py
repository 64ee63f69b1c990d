"""How a session ends before its time: the row, the audit log, and the event."""

from __future__ import annotations

from typing import Literal

from portico_kit.call import Call
from portico_kit.credentials import Principal
from server.features.auth import messages
from server.features.auth.models import Session
from server.features.users import ports

ENDED = "session.ended"

# Why a session ends; see `Session.end_reason` in the contract.
EndReason = Literal["signed_out", "revoked", "refresh_token_reused", "reported"] | ports.EndReason


def end_session(session: Session, reason: EndReason, call: Call, *, action: str = ENDED) -> None:
    """Ends a session that holds, and records it.

    Args:
        action: what the audit log calls it, if it is more than an end.
    """
    session.revoke(call.now)
    record_end(session, reason, call, action=action)


def record_end(
    session: Session,
    reason: EndReason,
    call: Call,
    *,
    action: str = ENDED,
    actor: Principal | None = None,
) -> None:
    """Records that a session has ended: once for each, by the call that has ended it."""
    shown = messages.ended_session(session, reason)
    call.record(action, target_id=session.id, data=shown, actor=actor, event=ENDED)
