"""What is read of an organization where nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """An organization to read only; it costs a fraction of a row that can change."""

    id: UUID
    name: str
    slug: str
    tier: str
    version: int
    created_at: datetime
    updated_at: datetime
    allow_key_import: bool
