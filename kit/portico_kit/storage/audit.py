"""The audit log: who did what, on what, from where, in which request."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String, func
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Identified


class AuditRecord(Identified):
    """The columns of one change, written in the transaction that made it and never changed.

    A service that keeps an audit log mixes them into a model of its own.
    """

    organization_id: Mapped[UUID | None]
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(64))
    target_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]]
    client_address: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
