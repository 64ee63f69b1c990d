"""Refused sign-ins, which stand in the audit log."""

from __future__ import annotations

from uuid import UUID

from portico_kit.call import Call
from portico_kit.errors import DomainError


def refused(error: DomainError, user_id: UUID | None, call: Call) -> DomainError:
    """The error to raise; it keeps what the call wrote, and so this entry of the audit log."""
    call.record("login.failed", target_id=user_id)
    return error
