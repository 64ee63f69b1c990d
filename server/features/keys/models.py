"""The API key as a row."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Uuid,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.edge_state.imported_keys import PREFIX_LONGEST
from portico_kit.storage.base import Base, Identified, Timestamped, Versioned
from server.features.keys.errors import ApiKeyRevokedError
from server.features.keys.read_models import status_at


class ApiKey(Identified, Timestamped, Versioned, Base):
    """A credential of an organization's program. Of its secret only keyed hashes are kept."""

    __tablename__ = "api_keys"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    created_by: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(32))
    # None as long as the secret was made elsewhere and not used here yet: see ImportedSecret.
    secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    # The secret from before the last rotation, while it overlaps.
    previous_secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret_expires_at: Mapped[datetime | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    # In CIDR form, normalised; empty lets the key be used from anywhere.
    allowed_cidrs: Mapped[list[str]] = mapped_column(
        ARRAY(String(64)), default=list, server_default=text("'{}'")
    )
    # None if it is bound to none. Never empty, for that could be read as all.
    project_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid()))
    limit_per_minute: Mapped[int | None]
    limit_per_hour: Mapped[int | None]
    limit_per_day: Mapped[int | None]
    limit_per_month: Mapped[int | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    rotated_at: Mapped[datetime | None]
    # Counted by the edge. A use is no change: version and updated_at stay as they are.
    last_used_at: Mapped[datetime | None]
    use_count: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))

    __mapper_args__ = {"version_id_col": Versioned.version}
    __table_args__ = (
        Index("uq_api_keys_secret_hash", "secret_hash", unique=True),
        Index(
            "uq_api_keys_previous_secret_hash",
            "previous_secret_hash",
            unique=True,
            postgresql_where=text("previous_secret_hash is not null"),
        ),
        Index("ix_api_keys_organization_id_id", "organization_id", "id"),
        Index("ix_api_keys_organization_id_created_by_id", "organization_id", "created_by", "id"),
        CheckConstraint("cardinality(scopes) > 0", name="has_scopes"),
        CheckConstraint("cardinality(project_ids) > 0", name="bound_to_some"),
    )

    def status(self, now: datetime) -> str:
        """ "active", "expired" or "revoked"."""
        return status_at(now, self.revoked_at, self.expires_at)

    def revoke(self, now: datetime) -> None:
        """Ends the key, for good.

        Raises:
            ApiKeyRevokedError: if it has ended before.
        """
        self.require_not_revoked()
        self.revoked_at = now

    def rotate(self, secret_hash: bytes, prefix: str, overlap: timedelta, now: datetime) -> None:
        """Puts a new secret in the place of the old one, which stays good for the overlap.

        Raises:
            ApiKeyRevokedError: if the key is revoked.
        """
        self.require_not_revoked()
        overlaps = overlap > timedelta(0)
        self.previous_secret_hash = self.secret_hash if overlaps else None
        self.previous_secret_expires_at = now + overlap if overlaps else None
        self.secret_hash = secret_hash
        self.prefix = prefix
        self.rotated_at = now

    def require_not_revoked(self) -> None:
        """Refuses any change of a revoked key.

        Raises:
            ApiKeyRevokedError: if it is revoked.
        """
        if self.revoked_at is not None:
            raise ApiKeyRevokedError


class ImportedSecret(Base):
    """A secret that another system made, as long as it may be presented.

    At its first use our own keyed hash goes into the key's row, and the imported
    one goes from here; the prefix stays, for it is how the edge tells such secrets.
    """

    __tablename__ = "imported_secrets"

    api_key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    # Compared byte by byte, so that one index finds what starts like it.
    prefix: Mapped[str] = mapped_column(String(PREFIX_LONGEST, collation="C"))
    algorithm: Mapped[str | None] = mapped_column(String(16))
    # With all that is needed to compute it. Sealed, so that a copy of the table is of no use.
    sealed_hash: Mapped[bytes | None] = mapped_column(LargeBinary)

    __table_args__ = (
        Index("uq_imported_secrets_prefix", "prefix", unique=True),
        CheckConstraint(
            "algorithm in ('hmac_sha256', 'sha256', 'bcrypt')", name="algorithm_is_known"
        ),
        CheckConstraint("(algorithm is null) = (sealed_hash is null)", name="hash_has_algorithm"),
    )
