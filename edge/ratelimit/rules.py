"""The rules: how much each kind of caller may ask for. A table; nothing is counted here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from fractions import Fraction
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.ratelimit.windows import BURST_SECONDS, Period, Window, Windows
from server.kit.limits import LARGEST_LIMIT, OrganizationLimits, Rates


class Category(StrEnum):
    """Groups methods that share a budget; the contract names one for each method."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    LOGIN = "login"
    REGISTER = "register"
    PASSWORD_RESET = "password_reset"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests in a minute and in an hour."""

    per_minute: int
    per_hour: int


# What an organization's tier allows each of its callers.
TIERS: Mapping[str, Rate] = {
    "free": Rate(30, 500),
    "basic": Rate(60, 2000),
    "pro": Rate(120, 5000),
    "enterprise": Rate(300, 20000),
}

# The tier of callers that we do not know.
LOWEST_TIER = "free"

# The part of the tier's rate that a category may use.
SHARES: Mapping[Category, Fraction] = {
    Category.READ: Fraction(1),
    Category.WRITE: Fraction(1, 2),
    Category.DELETE: Fraction(1, 4),
}

# All callers of an organization together may use so much of the tier's rate in a minute.
POOL_FACTOR = 10

# What is guessed at by strangers is counted by the address they come from.
PER_ADDRESS: Mapping[Category, Rate] = {
    Category.LOGIN: Rate(5, 20),
    Category.REGISTER: Rate(3, 10),
}

# How often a mail with a reset link goes to one person.
PER_EMAIL = Windows([Window("hour", Period.HOUR, 3)])

# For a short while, a caller may go at twice the average rate of its minute.
BURST_FACTOR = 2
BURSTS_IN_A_MINUTE = 60 // BURST_SECONDS

OF_THE_TIER = OrganizationLimits()
PERIODS = {period.name.lower(): period for period in Period}


@lru_cache(maxsize=4096)
def tier_windows(tier: str, category: Category, limits: str = OF_THE_TIER.json) -> Windows:
    """The windows of one caller for reads, writes or deletions.

    Args:
        limits: those of its organization, as JSON.

    Raises:
        KeyError: if there is no such tier, or the category has a rate of its own.
    """
    organization = OrganizationLimits.from_json(limits)
    rate, share = TIERS[tier], SHARES[category] * organization.multiplier_percent / 100
    rates = {
        "minute": _part(rate.per_minute, share),
        "hour": _part(rate.per_hour, share),
        **organization.overrides.get(category, {}),
    }
    burst = -(-rates["minute"] * BURST_FACTOR // BURSTS_IN_A_MINUTE)
    return windows({"burst": burst, **rates}, organization)


@lru_cache(maxsize=4096)
def pool_windows(tier: str, limits: str = OF_THE_TIER.json) -> Windows:
    """The windows that all callers of an organization share, whatever they do.

    Args:
        limits: those of the organization, as JSON.
    """
    organization = OrganizationLimits.from_json(limits)
    share = Fraction(organization.multiplier_percent * POOL_FACTOR, 100)
    usual = {"minute": _part(TIERS[tier].per_minute, share)}
    return windows(
        {**usual, **organization.overrides.get("pool", {})}, organization, prefix="organization-"
    )


@lru_cache(maxsize=4096)
def own_windows(rates: tuple[tuple[str, int], ...], limits: str = OF_THE_TIER.json) -> Windows:
    """The windows for a key's own limits, by period.

    Args:
        limits: those of its organization, as JSON.
    """
    return windows(dict(rates), OrganizationLimits.from_json(limits), prefix="key-")


@cache
def address_windows(category: Category) -> Windows:
    """The windows of a client address for a category that strangers call.

    Asking for a password reset costs us a mail, so it counts as a write.
    """
    if category is Category.PASSWORD_RESET:
        return tier_windows(LOWEST_TIER, Category.WRITE)
    rate = PER_ADDRESS[category]
    return windows({"minute": rate.per_minute, "hour": rate.per_hour}, OF_THE_TIER)


def email_windows(category: Category) -> Windows:
    """The windows of an email address, when the core asks for one."""
    return PER_EMAIL if category is Category.PASSWORD_RESET else address_windows(category)


def windows(rates: Rates, organization: OrganizationLimits, prefix: str = "") -> Windows:
    """The windows for limits by period, on the organization's calendar."""
    zone = zone_of(organization)
    return Windows(
        Window(f"{prefix}{name}", PERIODS[name], limit, zone, organization.shadow)
        for name, limit in rates.items()
    )


def zone_of(organization: OrganizationLimits) -> tzinfo:
    """Its time zone; UTC if this machine does not know it."""
    try:
        return ZoneInfo(organization.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _part(rate: int, share: Fraction) -> int:
    return min(LARGEST_LIMIT, max(1, int(rate * share)))
