"""The domain as a row."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified, Timestamped
from server.features.domains.errors import DomainExistsError, DomainTakenError


class Domain(Identified, Timestamped, Base):
    """A domain that an organization says is its own, and what proves it."""

    __tablename__ = "domains"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    # In ASCII and lower case.
    name: Mapped[str] = mapped_column(String(253))
    # Random. Whoever can put it into the DNS has the domain; it is no secret.
    proof: Mapped[str] = mapped_column(String(64))
    verified_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_domains_organization_id_name", "organization_id", "name", unique=True),
        Index(
            "uq_domains_verified",
            "name",
            unique=True,
            postgresql_where=text("verified_at is not null"),
        ),
    )

    @property
    def record_name(self) -> str:
        """The name of the DNS record."""
        return f"_portico-challenge.{self.name}"

    @property
    def record_value(self) -> str:
        """The text of the DNS record."""
        return f"portico-domain-verification={self.proof}"


CONSTRAINT_ERRORS = {
    "uq_domains_organization_id_name": DomainExistsError,
    # Two organizations verify it at once.
    "uq_domains_verified": DomainTakenError,
}
