"""The application as a row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.storage.base import Base, Identified, Timestamped, Versioned
from server.features.applications.errors import (
    ApplicationHasNoSecretError,
    ApplicationSecretNotFoundError,
)
from server.features.applications.kinds import (
    CREATED,
    LISTED,
    MAX_REGISTERED,
    OFF,
    OPEN,
    REGISTRABLE_KINDS,
    REGISTRABLE_SCOPES,
    SECRET_METHODS,
    UNUSED_DAYS,
)
from server.features.applications.read_models import secret_id
from server.features.applications.sectors import names_of_people

_URI = String(2000)


class Application(Identified, Timestamped, Versioned, Base):
    """An OAuth 2.1 client of an organization. Of its secrets only keyed hashes are kept."""

    __tablename__ = "applications"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    created_by: Mapped[UUID | None]
    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(16))
    redirect_uris: Mapped[list[str]] = mapped_column(ARRAY(_URI))
    post_logout_redirect_uris: Mapped[list[str]] = mapped_column(ARRAY(_URI))
    grant_types: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    # Of the scopes those that people cannot leave out.
    required_scopes: Mapped[list[str]] = mapped_column(
        ARRAY(String(64)), default=list, server_default="{}"
    )
    token_endpoint_auth_method: Mapped[str] = mapped_column(String(32))
    secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    secret_prefix: Mapped[str] = mapped_column(String(32), default="")
    secret_created_at: Mapped[datetime | None]
    # The secret from before the last rotation, while it overlaps.
    previous_secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret_prefix: Mapped[str] = mapped_column(String(32), default="")
    previous_secret_created_at: Mapped[datetime | None]
    previous_secret_expires_at: Mapped[datetime | None]
    # Null in SQL, and not the null of JSON, is that there are none.
    jwks: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    jwks_uri: Mapped[str] = mapped_column(_URI, default="")
    logo_uri: Mapped[str] = mapped_column(_URI, default="")
    # SHA-256 of the copy that people see, see `ApplicationLogo`; "" while there is none.
    logo_digest: Mapped[str] = mapped_column(String(64), default="", server_default="")
    # When a worker fetches it; not set if that was done, or given up.
    logo_due_at: Mapped[datetime | None]
    logo_attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    client_uri: Mapped[str] = mapped_column(_URI, default="")
    policy_uri: Mapped[str] = mapped_column(_URI, default="")
    tos_uri: Mapped[str] = mapped_column(_URI, default="")
    first_party: Mapped[bool] = mapped_column(default=False)
    id_token_signed_response_alg: Mapped[str] = mapped_column(String(8), default="RS256")
    dpop_bound_access_tokens: Mapped[bool] = mapped_column(default=False)
    tls_client_certificate_bound_access_tokens: Mapped[bool] = mapped_column(
        default=False, server_default=text("false")
    )
    require_pushed_authorization_requests: Mapped[bool] = mapped_column(default=False)
    require_signed_request_object: Mapped[bool] = mapped_column(default=False)
    # "" for any that is supported.
    request_object_signing_alg: Mapped[str] = mapped_column(
        String(8), default="", server_default=""
    )
    subject_type: Mapped[str] = mapped_column(String(8), default="public")
    sector_identifier_uri: Mapped[str] = mapped_column(_URI, default="")
    backchannel_logout_uri: Mapped[str] = mapped_column(_URI, default="")
    backchannel_logout_session_required: Mapped[bool] = mapped_column(default=False)
    frontchannel_logout_uri: Mapped[str] = mapped_column(_URI, default="")
    frontchannel_logout_session_required: Mapped[bool] = mapped_column(
        default=False, server_default=text("false")
    )
    access_token_lifetime_seconds: Mapped[int]
    refresh_token_idle_seconds: Mapped[int]
    refresh_token_lifetime_seconds: Mapped[int]
    # Who may exchange the tokens that it has of people.
    token_exchange_client_ids: Mapped[list[UUID]] = mapped_column(
        ARRAY(Uuid), default=list, server_default="{}"
    )
    disabled_at: Mapped[datetime | None]
    # How it came to be, see `Application.origin` in the contract.
    origin: Mapped[str] = mapped_column(String(16), default=CREATED, server_default=CREATED)
    # The address of the document that describes it; "" if there is none.
    metadata_document: Mapped[str] = mapped_column(_URI, default="", server_default="")
    # Of the token with which it changes its registration itself (RFC 7592).
    registration_token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    # What belongs to a deleted one is deleted after it, in small portions.
    deleted_at: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": Versioned.version}
    __table_args__ = (
        Index("ix_applications_organization_id_id", "organization_id", "id"),
        Index(
            "ix_applications_created_at",
            "created_at",
            postgresql_where=text("origin <> 'created' and deleted_at is null"),
        ),
        Index(
            "ix_applications_logo_due_at",
            "logo_due_at",
            postgresql_where=text("logo_due_at is not null"),
        ),
        CheckConstraint("cardinality(scopes) > 0", name="has_scopes"),
        CheckConstraint(
            "access_token_lifetime_seconds between 300 and 900", name="access_tokens_are_short"
        ),
        CheckConstraint(
            "token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post')"
            " or (secret_hash is null and previous_secret_hash is null)",
            name="secrets_are_used",
        ),
        CheckConstraint("not (jwks is not null and jwks_uri <> '')", name="keys_in_one_place"),
        CheckConstraint(
            "kind in ('web', 'single_page', 'native', 'machine', 'device')", name="kind"
        ),
    )

    @property
    def uses_secrets(self) -> bool:
        """Whether it authenticates with a secret."""
        return self.token_endpoint_auth_method in SECRET_METHODS

    @property
    def names_of_people(self) -> str:
        """Which names it knows people by: applications of which this is equal have the same."""
        return names_of_people(
            self.id,
            self.organization_id,
            self.subject_type,
            self.sector_identifier_uri,
            self.redirect_uris,
        )

    def set_enabled(self, enabled: bool, now: datetime) -> None:
        """Enables or disables it; what it is already, it stays."""
        if enabled:
            self.disabled_at = None
        elif self.disabled_at is None:
            self.disabled_at = now

    def set_logo(self, uri: str, now: datetime) -> None:
        """Has a worker fetch the logo, also if the address is the same: there may be another.

        Until then people see none, or the one that was there before.
        """
        if uri != self.logo_uri:
            self.logo_digest = ""
        self.logo_uri, self.logo_attempts = uri, 0
        self.logo_due_at = now if uri else None

    def set_secret(
        self, secret_hash: bytes, prefix: str, now: datetime, overlap: timedelta = timedelta(0)
    ) -> None:
        """Puts a new secret in the place of the current one, which stays good for the overlap.

        Raises:
            ApplicationHasNoSecretError: if it authenticates otherwise.
        """
        if not self.uses_secrets:
            raise ApplicationHasNoSecretError
        if overlap > timedelta(0) and self.secret_hash is not None:
            self.previous_secret_hash = self.secret_hash
            self.previous_secret_prefix = self.secret_prefix
            self.previous_secret_created_at = self.secret_created_at
            self.previous_secret_expires_at = now + overlap
        else:
            self._clear_previous()
        self.secret_hash, self.secret_prefix, self.secret_created_at = secret_hash, prefix, now

    def revoke_secret(self, name: str) -> None:
        """Takes a secret away at once.

        Args:
            name: its id.

        Raises:
            ApplicationSecretNotFoundError: if there is none of that name.
        """
        if self.secret_hash is not None and secret_id(self.secret_hash) == name:
            self._clear_current()
        elif self.previous_secret_hash is not None and secret_id(self.previous_secret_hash) == name:
            self._clear_previous()
        else:
            raise ApplicationSecretNotFoundError

    def clear_secrets(self) -> None:
        """Takes all of its secrets away."""
        self._clear_current()
        self._clear_previous()

    def delete(self, now: datetime) -> None:
        """Ends it, for good; nothing that it could prove itself with is kept."""
        self.deleted_at = now
        self.clear_secrets()
        self.jwks, self.jwks_uri = None, ""
        self.registration_token_hash = None

    def _clear_current(self) -> None:
        self.secret_hash, self.secret_prefix, self.secret_created_at = None, "", None

    def _clear_previous(self) -> None:
        self.previous_secret_hash, self.previous_secret_prefix = None, ""
        self.previous_secret_created_at = self.previous_secret_expires_at = None


class RegistrationPolicy(Timestamped, Base):
    """Which applications may come to an organization by themselves; without a row, none."""

    __tablename__ = "registration_policies"

    # Its type is named: queries are compiled before the table of organizations is known.
    organization_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True
    )
    registration: Mapped[str] = mapped_column(String(8), default=OFF)
    kinds: Mapped[list[str]] = mapped_column(ARRAY(String(16)))
    redirect_hosts: Mapped[list[str]] = mapped_column(ARRAY(String(253)))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    max_applications: Mapped[int]
    unused_days: Mapped[int]
    documents: Mapped[str] = mapped_column(String(8), default=OFF)
    document_hosts: Mapped[list[str]] = mapped_column(ARRAY(String(253)))
    initial_access_token_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    initial_access_token_created_at: Mapped[datetime | None]

    @classmethod
    def closed(cls, organization_id: UUID) -> RegistrationPolicy:
        """What counts where nothing was said."""
        return cls(
            organization_id=organization_id,
            registration=OFF,
            kinds=list(REGISTRABLE_KINDS),
            redirect_hosts=[],
            scopes=list(REGISTRABLE_SCOPES),
            max_applications=MAX_REGISTERED,
            unused_days=UNUSED_DAYS,
            documents=OFF,
            document_hosts=[],
        )

    def takes_document(self, host: str) -> bool:
        """Whether an application may describe itself at a host."""
        if self.documents == LISTED:
            return host in self.document_hosts
        return self.documents == OPEN

    def takes_redirect(self, uri: str) -> bool:
        """Whether a redirect URI has a host that is allowed; those that are no https have none."""
        where = urlsplit(uri)
        if not self.redirect_hosts or where.scheme != "https":
            return True
        return where.hostname in self.redirect_hosts


class ApplicationLogo(Identified, Base):
    """Our copy of an application's logo. It has the id of the application."""

    __tablename__ = "application_logos"

    content: Mapped[bytes] = mapped_column(LargeBinary)
    content_type: Mapped[str] = mapped_column(String(16))
