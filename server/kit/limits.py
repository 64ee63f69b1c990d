"""What an organization may use beside its tier, as the core hands it to the rate limit service.

It lies in one hash in Valkey, a field for each organization; a message on a
channel names the organization that changed. PostgreSQL holds the truth.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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
    """

    version: int = 0
    multiplier_percent: int = 100
    overrides: Mapping[str, Rates] = field(default_factory=dict)
    time_zone: str = "UTC"
    shadow: bool = False

    @cached_property
    def json(self) -> str:
        """What stands in the hash."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> OrganizationLimits:
        """Reads what stands in the hash.

        Raises:
            ValueError: if it is not that.
        """
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError("not the limits of an organization") from error
