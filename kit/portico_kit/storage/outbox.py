"""What happened, as rows in the transaction that caused it, so that no event is lost.

A worker picks the rows up after the commit. Waking it is a courtesy; a sweep
finds what was missed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, String, false, func
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Identified


class OutboxEvent(Identified):
    """The columns of an event: something that happened in an organization, or on the platform.

    A service that has events mixes them into a model of its own.
    """

    # Whose webhooks receive it.
    organization_id: Mapped[UUID]
    type: Mapped[str] = mapped_column(String(64))
    # Whether it belongs to no organization: only a webhook that names its type receives it.
    platform: Mapped[bool] = mapped_column(default=False, server_default=false())
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # Set when the deliveries exist, in the same transaction as they.
    fanned_out_at: Mapped[datetime | None]
    # Its place among the events of the organization, given in that transaction, too: who has
    # seen an event has seen all with lower numbers. None also for what only one webhook gets.
    sequence: Mapped[int | None] = mapped_column(BigInteger)
