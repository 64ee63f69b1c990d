"""What an organization may use beside its tier, as the core hands it to the rate limit service.

It lies in one hash in Valkey, a field for each organization; a message on a
channel names the organization that changed. PostgreSQL holds the truth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property

LIMITS_HASH = "portico:organization-limits"
LIMITS_CHANNEL = "portico:organization-limits:changed"
# The field that says that the hash is whole; Valkey may have been emptied.
LIMITS_WHOLE = "whole"

LARGEST_LIMIT = 1_000_000_000
PERIODS = ("minute", "hour", "day", "month")
# What can be set for an organization; "pool" is shared by all of its callers.
OVERRIDABLE = ("read", "write", "delete", "pool")

Rates = Mapping[str, int]


@dataclass(frozen=True)
class OrganizationLimits:
    """The limits of one organization.

    Attributes:
        version: counts the changes.
        multiplier_percent: what the rates of the tier are multiplied with; 100 leaves them.
        overrides: limits by period that take the place of the tier's, by category or "pool".
        time_zone: the IANA name of the zone whose days and months count.
        shadow: whether limits are only counted and reported.
        shadow_rules: those of which it is so anyway: a category or "pool", or one of its
            windows as in "read.minute".
    """

    version: int = 0
    multiplier_percent: int = 100
    overrides: Mapping[str, Rates] = field(default_factory=dict)
    time_zone: str = "UTC"
    shadow: bool = False
    shadow_rules: Sequence[str] = ()

    @cached_property
    def json(self) -> str:
        """What stands in the hash."""
        stated = asdict(self)
        if not self.shadow_rules:
            # An edge process of the version before this one knows no such field.
            del stated["shadow_rules"]
        return json.dumps(stated, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> OrganizationLimits:
        """Reads what stands in the hash; what a newer core has added to it is left out.

        Raises:
            ValueError: if it is not that.
        """
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("not the limits of an organization")
        return cls(**{one.name: found[one.name] for one in fields(cls) if one.name in found})
