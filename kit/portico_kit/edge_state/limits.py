"""The limits of organizations that differ from their tier's, as the limiter reads them.

They are one hash in Valkey with a field for each organization; a message on a
channel names the organization that changed. PostgreSQL is the source of truth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property

from portico_contract.limit_categories import BY_TIER

LIMITS_HASH = "portico:organization-limits"
LIMITS_CHANNEL = "portico:organization-limits:changed"
# The field that says that the hash is complete; Valkey may have been emptied.
LIMITS_COMPLETE = "whole"

LARGEST_LIMIT = 1_000_000_000
PERIODS = ("minute", "hour", "day", "month")
# Shared by all callers of an organization, whatever they do.
POOL = "pool"
# What can be set for an organization.
OVERRIDABLE = (*(category.value for category in BY_TIER), POOL)

Rates = Mapping[str, int]


@dataclass(frozen=True)
class LimitsDocument:
    """The limits of one organization, as they are stored in Valkey.

    Attributes:
        version: counts the changes.
        multiplier_percent: what the rates of the tier are multiplied with; 100 leaves them.
        overrides: limits by period that replace the tier's, by category or "pool".
        time_zone: the IANA name of the zone in which days and months start.
        shadow: whether all limits are only counted and reported.
        shadow_rules: the limits that are only counted and reported in any case: a category
            or "pool", or one of its windows as in "read.minute".
    """

    version: int = 0
    multiplier_percent: int = 100
    overrides: Mapping[str, Rates] = field(default_factory=dict)
    time_zone: str = "UTC"
    shadow: bool = False
    shadow_rules: Sequence[str] = ()

    @cached_property
    def json(self) -> str:
        """The field of the hash."""
        stated = asdict(self)
        if not self.shadow_rules:
            # An edge process of the version before this one knows no such field.
            del stated["shadow_rules"]
        return json.dumps(stated, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> LimitsDocument:
        """Parses the field of the hash; what a newer core has added to it is ignored.

        Raises:
            ValueError: if it is not that.
        """
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("not the limits of an organization")
        return cls(**{one.name: found[one.name] for one in fields(cls) if one.name in found})
