"""What is read of API keys where nothing is changed, and what that decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

SECRET_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class KeyGrantView:
    """What decides whether a key is good, and what it may do."""

    id: UUID
    organization_id: UUID
    scopes: list[str]
    # None if it is bound to none; never empty.
    project_ids: list[UUID] | None
    allowed_cidrs: list[str]
    # None as long as the secret is an imported one that was not used yet.
    secret_hash: bytes | None
    previous_secret_hash: bytes | None
    previous_secret_expires_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None

    def status(self, now: datetime) -> str:
        """ "active", "expired" or "revoked"."""
        return status_at(now, self.revoked_at, self.expires_at)

    def accepts(self, secret_hash: bytes, now: datetime) -> bool:
        """Whether the key is active and the hash is of its secret, or of its last one in time."""
        if self.status(now) != "active":
            return False
        if secret_hash == self.secret_hash:
            return True
        until = self.previous_secret_expires_at
        return secret_hash == self.previous_secret_hash and until is not None and now < until

    def secret_ids(self, now: datetime) -> frozenset[str]:
        """The names of the secrets that are good now, as tokens carry them; none if none is."""
        hashes = [self.secret_hash, self.previous_secret_hash]
        return frozenset(secret_id(each) for each in hashes if each and self.accepts(each, now))

    def accepted_until(self, secret_hash: bytes, latest: datetime) -> datetime:
        """Until when an accepted secret stays good, `latest` at the latest."""
        ends = [latest]
        if self.expires_at is not None:
            ends.append(self.expires_at)
        if secret_hash != self.secret_hash and self.previous_secret_expires_at is not None:
            ends.append(self.previous_secret_expires_at)
        return min(ends)


@dataclass(frozen=True, slots=True)
class KeyView(KeyGrantView):
    """A whole key, to read only; it costs a fraction of a row that can change."""

    created_by: UUID | None
    name: str
    prefix: str
    limit_per_minute: int | None
    limit_per_hour: int | None
    limit_per_day: int | None
    limit_per_month: int | None
    rotated_at: datetime | None
    last_used_at: datetime | None
    use_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ImportedSecretView:
    """An imported secret, and what decides about its key.

    Attributes:
        algorithm: None once our own hash has taken the place of the imported one.
    """

    api_key_id: UUID
    prefix: str
    algorithm: str | None
    sealed_hash: bytes | None
    expires_at: datetime | None
    revoked_at: datetime | None
    rotated_at: datetime | None
    previous_secret_expires_at: datetime | None

    def acceptable(self, now: datetime) -> bool:
        """Whether the secret would be good: the key is active, or was rotated and overlaps."""
        if status_at(now, self.revoked_at, self.expires_at) != "active":
            return False
        until = self.previous_secret_expires_at
        return self.rotated_at is None or (until is not None and now < until)


def status_at(now: datetime, revoked_at: datetime | None, expires_at: datetime | None) -> str:
    """ "active", "expired" or "revoked"."""
    if revoked_at is not None:
        return "revoked"
    if expires_at is not None and expires_at <= now:
        return "expired"
    return "active"


def secret_id(secret_hash: bytes) -> str:
    """What a token calls the secret that it was given for; of no use to find the secret."""
    return secret_hash[:SECRET_ID_BYTES].hex()
