"""What each bus has, as rows."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String, func
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base


class Relay(Base):
    """A topic or stream that events are carried to, since its relay ran for the first time."""

    __tablename__ = "relays"

    name: Mapped[str] = mapped_column(String(300), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RelayPosition(Base):
    """The last event of an organization that is on the bus for good; without a row, none is."""

    __tablename__ = "relay_positions"

    relay: Mapped[str] = mapped_column(
        ForeignKey("relays.name", ondelete="CASCADE"), primary_key=True
    )
    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
