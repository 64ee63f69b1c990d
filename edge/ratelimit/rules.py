"""The rules: how much each kind of caller may ask for. A table; nothing is counted here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from itertools import product
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.ratelimit.shadows import NO_SHADOWS, Shadows
from edge.ratelimit.windows import BURST_SECONDS, Period, Window, Windows
from portico_kit.edge_state.limits import LARGEST_LIMIT, OrganizationLimits, Rates


class Category(StrEnum):
    """Groups methods that share a budget; the contract names one for each method."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    LOGIN = "login"
    REGISTER = "register"
    PASSWORD_RESET = "password_reset"  # noqa: S105
    # Credentials in the body of a request; only the core asks for them.
    CREDENTIAL = "credential"
    # Mails that somebody causes; only the core asks for them.
    MAIL_RECIPIENT = "mail_recipient"
    MAIL_ORGANIZATION = "mail_organization"
    MAIL_SENDER = "mail_sender"


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
POOL = "pool"
POOL_FACTOR = 10

# What is guessed at by strangers is counted by the address they come from; a credential
# that is genuine, by its holder.
PER_ADDRESS: Mapping[Category, Rate] = {
    Category.LOGIN: Rate(5, 20),
    Category.REGISTER: Rate(3, 10),
    Category.CREDENTIAL: Rate(60, 1000),
}

# How often a mail with a reset link goes to one person.
PER_EMAIL = {"hour": 3}

# How many mails one address gets of a kind, and how many one caller causes.
MAILS: Mapping[Category, Rates] = {
    Category.MAIL_RECIPIENT: {"hour": 3, "day": 10},
    Category.MAIL_SENDER: {"hour": 20, "day": 100},
}
# How many mails all callers of an organization cause, by its tier.
MAILS_OF_TIER: Mapping[str, Rates] = {
    "free": {"hour": 20, "day": 50},
    "basic": {"hour": 50, "day": 200},
    "pro": {"hour": 100, "day": 500},
    "enterprise": {"hour": 500, "day": 2000},
}
MAIL_CATEGORIES = frozenset({*MAILS, Category.MAIL_ORGANIZATION})

# For a short while, a caller may go at twice the average rate of its minute.
BURST_FACTOR = 2
BURSTS_IN_A_MINUTE = 60 // BURST_SECONDS

OF_THE_TIER = OrganizationLimits()
PERIODS = {period.name.lower(): period for period in Period}


@lru_cache(maxsize=4096)
def tier_windows(
    tier: str,
    category: Category,
    limits: str = OF_THE_TIER.json,
    shadows: Shadows = NO_SHADOWS,
) -> Windows:
    """The windows of one caller for reads, writes or deletions.

    Args:
        limits: those of its organization, as JSON.
        shadows: rules of the table that are only tried.

    Raises:
        KeyError: if there is no such tier, or the category has a rate of its own.
    """
    organization = OrganizationLimits.from_json(limits)
    own = organization.overrides.get(category, {})
    rates = _with_burst({**_tier_rates(tier, category, organization.multiplier_percent), **own})
    return _windows(rates, organization, _Trial(organization, shadows, tier, category))


@lru_cache(maxsize=4096)
def pool_windows(
    tier: str, limits: str = OF_THE_TIER.json, shadows: Shadows = NO_SHADOWS
) -> Windows:
    """The windows that all callers of an organization share, whatever they do.

    Args:
        limits: those of the organization, as JSON.
        shadows: rules of the table that are only tried.
    """
    organization = OrganizationLimits.from_json(limits)
    share = Fraction(organization.multiplier_percent * POOL_FACTOR, 100)
    usual = {"minute": _part(TIERS[tier].per_minute, share)}
    rates = {**usual, **organization.overrides.get(POOL, {})}
    trial = _Trial(organization, shadows, tier, POOL)
    return _windows(rates, organization, trial, prefix="organization-")


@lru_cache(maxsize=4096)
def own_windows(rates: tuple[tuple[str, int], ...], limits: str = OF_THE_TIER.json) -> Windows:
    """The windows for a key's own limits, by period.

    Args:
        limits: those of its organization, as JSON.
    """
    organization = OrganizationLimits.from_json(limits)
    trial = _Trial(organization, NO_SHADOWS, "", "key")
    return _windows(dict(rates), organization, trial, prefix="key-")


@lru_cache(maxsize=64)
def address_windows(category: Category, shadows: Shadows = NO_SHADOWS) -> Windows:
    """The windows of a client address for a category that strangers call.

    Asking for a password reset costs us a mail, so it counts as a write.
    """
    if category is Category.PASSWORD_RESET:
        rates = _with_burst(_tier_rates(LOWEST_TIER, Category.WRITE, 100))
    else:
        rate = PER_ADDRESS[category]
        rates = {"minute": rate.per_minute, "hour": rate.per_hour}
    return _windows(rates, OF_THE_TIER, _Trial(OF_THE_TIER, shadows, "", category))


@lru_cache(maxsize=64)
def email_windows(category: Category, shadows: Shadows = NO_SHADOWS) -> Windows:
    """The windows of an email address, when the core asks for one."""
    if category is not Category.PASSWORD_RESET:
        return address_windows(category, shadows)
    return _windows(PER_EMAIL, OF_THE_TIER, _Trial(OF_THE_TIER, shadows, "", category))


@lru_cache(maxsize=64)
def mail_windows(category: Category, tier: str, shadows: Shadows = NO_SHADOWS) -> Windows:
    """The windows for mails.

    Args:
        tier: of the organization, if that is what is charged.
    """
    rates = MAILS_OF_TIER[tier] if category is Category.MAIL_ORGANIZATION else MAILS[category]
    return _windows(rates, OF_THE_TIER, _Trial(OF_THE_TIER, shadows, "", category))


def table_shadows(text: str) -> Shadows:
    """Rules of the table, by their names: "login, free.minute, pro.write.hour".

    Raises:
        ValueError: if there is no such rule.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = set(_names())
    for name in names:
        if name not in known:
            raise ValueError(f"there is no rule {name!r}")
    return Shadows(names)


def _names() -> Iterator[str]:
    """What the rules of the table are called, with and without a category and a window."""
    windows = ("", ".burst", ".minute", ".hour")
    for tier, kind in product(TIERS, ("", *(f".{one}" for one in (*SHARES, POOL)))):
        yield from (f"{tier}{kind}{window}" for window in windows)
    for category in (*PER_ADDRESS, Category.PASSWORD_RESET):
        yield from (f"{category}{window}" for window in windows)
    for category in MAIL_CATEGORIES:
        yield from (f"{category}{window}" for window in ("", ".hour", ".day"))


@dataclass(frozen=True, slots=True)
class _Trial:
    """Who may have put windows into shadow: the organization, and the table's operator.

    What an organization has in place of the table's rule is not the table's.
    """

    organization: OrganizationLimits
    shadows: Shadows
    tier: str
    kind: str

    def holds(self, window: str) -> bool:
        """Whether a window is only tried."""
        return (
            self.organization.shadow
            or Shadows(self.organization.shadow_rules).cover(self.kind, window)
            or (not self._overridden(window) and self._tried(window))
        )

    def _tried(self, window: str) -> bool:
        return self.shadows.cover(self.tier, self.kind, window)

    def _overridden(self, window: str) -> bool:
        """A burst is that of the minute."""
        own = self.organization.overrides.get(self.kind, {})
        return ("minute" if window == "burst" else window) in own


def _tier_rates(tier: str, category: Category, percent: int) -> Rates:
    rate, share = TIERS[tier], SHARES[category] * percent / 100
    return {"minute": _part(rate.per_minute, share), "hour": _part(rate.per_hour, share)}


def _with_burst(rates: Rates) -> Rates:
    return {"burst": -(-rates["minute"] * BURST_FACTOR // BURSTS_IN_A_MINUTE), **rates}


def _windows(
    rates: Rates, organization: OrganizationLimits, trial: _Trial, prefix: str = ""
) -> Windows:
    """The windows for limits by period, on the organization's calendar."""
    zone = zone_of(organization)
    return Windows(
        Window(f"{prefix}{name}", PERIODS[name], limit, zone, trial.holds(name))
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
