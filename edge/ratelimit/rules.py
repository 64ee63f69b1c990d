"""The rules: how much each kind of caller may request. A table; nothing is counted here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from fractions import Fraction
from functools import lru_cache
from itertools import product
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.ratelimit.shadow_mode import NO_SHADOW_RULES, ShadowRules
from edge.ratelimit.windows import BURST_SECONDS, Period, Window, Windows
from portico_contract.limit_categories import (
    BY_ADDRESS,
    BY_ADDRESS_IF_COUNTED,
    BY_MAIL,
    BY_TIER,
    LIMITED,
    LimitCategory,
)
from portico_kit.edge_state.limits import LARGEST_LIMIT, POOL, LimitsDocument, Rates


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests in a minute and in an hour."""

    per_minute: int
    per_hour: int


# The rate of each caller, by the tier of its organization.
TIERS: Mapping[str, Rate] = {
    "free": Rate(30, 500),
    "basic": Rate(60, 2000),
    "pro": Rate(120, 5000),
    "enterprise": Rate(300, 20000),
}

# The tier of unknown callers.
LOWEST_TIER = "free"

# The share of the tier's rate for each category.
CATEGORY_SHARE: Mapping[LimitCategory, Fraction] = {
    LimitCategory.READ: Fraction(1),
    LimitCategory.WRITE: Fraction(1, 2),
    LimitCategory.DELETE: Fraction(1, 4),
}

# The rate of all callers of an organization together, as a multiple of the tier's rate.
POOL_FACTOR = 10

# The rate of an application for all persons of an organization together, the same way: more
# than it has for one of them, and less than all callers of the organization have.
APPLICATION_FACTOR = 5
APPLICATION = "application"

# The rate of a client address for calls that are open to guessing; a genuine credential is
# charged to its holder.
PER_ADDRESS: Mapping[LimitCategory, Rate] = {
    LimitCategory.LOGIN: Rate(5, 20),
    LimitCategory.REGISTER: Rate(3, 10),
    LimitCategory.CREDENTIAL: Rate(60, 1000),
    # Many machines of an application may be behind one address.
    LimitCategory.TOKEN: Rate(600, 20_000),
}

# How many mails with a reset link are sent to one address.
PER_EMAIL = {"hour": 3}

# How many mails of a kind are sent to one address, and how many one caller causes.
MAILS: Mapping[LimitCategory, Rates] = {
    LimitCategory.MAIL_RECIPIENT: {"hour": 3, "day": 10},
    LimitCategory.MAIL_SENDER: {"hour": 20, "day": 100},
    LimitCategory.MAIL_CODE: {"hour": 5, "day": 10},
}
# How many mails all callers of an organization cause, by its tier.
MAILS_OF_TIER: Mapping[str, Rates] = {
    "free": {"hour": 20, "day": 50},
    "basic": {"hour": 50, "day": 200},
    "pro": {"hour": 100, "day": 500},
    "enterprise": {"hour": 500, "day": 2000},
}
# A burst may have twice the average rate of its minute.
BURST_FACTOR = 2
BURSTS_IN_A_MINUTE = 60 // BURST_SECONDS

DEFAULT_LIMITS = LimitsDocument()
PERIODS = {period.name.lower(): period for period in Period}


@lru_cache(maxsize=4096)
def tier_windows(
    tier: str,
    category: LimitCategory,
    limits: str = DEFAULT_LIMITS.json,
    shadow_rules: ShadowRules = NO_SHADOW_RULES,
) -> Windows:
    """The windows of one caller for reads, writes or deletions.

    Args:
        tier: of the caller's organization.
        category: one of `BY_TIER`.
        limits: of the caller's organization, as JSON.
        shadow_rules: rules of the table in shadow mode.

    Raises:
        KeyError: if there is no such tier, or the category has a rate of its own.
    """
    document = LimitsDocument.from_json(limits)
    overrides = document.overrides.get(category, {})
    rates = {**_tier_rates(tier, category, document.multiplier_percent), **overrides}
    shadow = _ShadowMode(document, shadow_rules, tier, category)
    return _windows(_with_burst(rates), document, shadow)


@lru_cache(maxsize=4096)
def pool_windows(
    tier: str, limits: str = DEFAULT_LIMITS.json, shadow_rules: ShadowRules = NO_SHADOW_RULES
) -> Windows:
    """The windows that all callers of an organization share, whatever they do.

    Args:
        tier: of the organization.
        limits: of the organization, as JSON.
        shadow_rules: rules of the table in shadow mode.
    """
    document = LimitsDocument.from_json(limits)
    overrides = document.overrides.get(POOL, {})
    rates = {**_times_the_tier(tier, document, POOL_FACTOR), **overrides}
    shadow = _ShadowMode(document, shadow_rules, tier, POOL)
    return _windows(rates, document, shadow, prefix="organization-")


@lru_cache(maxsize=4096)
def application_windows(
    tier: str, limits: str = DEFAULT_LIMITS.json, shadow_rules: ShadowRules = NO_SHADOW_RULES
) -> Windows:
    """The windows of an application in an organization, for whomever it acts, whatever it does.

    Args:
        tier: of the organization.
        limits: of the organization, as JSON.
        shadow_rules: rules of the table in shadow mode.
    """
    document = LimitsDocument.from_json(limits)
    rates = _times_the_tier(tier, document, APPLICATION_FACTOR)
    shadow = _ShadowMode(document, shadow_rules, tier, APPLICATION)
    return _windows(rates, document, shadow, prefix="application-")


def _times_the_tier(tier: str, document: LimitsDocument, factor: int) -> dict[str, int]:
    """What several callers share: a multiple of the tier's rate, as the organization has it."""
    share = Fraction(document.multiplier_percent * factor, 100)
    return {"minute": _part(TIERS[tier].per_minute, share)}


@lru_cache(maxsize=4096)
def own_windows(rates: tuple[tuple[str, int], ...], limits: str = DEFAULT_LIMITS.json) -> Windows:
    """The windows for a key's own limits.

    Args:
        rates: the limits by period.
        limits: of the key's organization, as JSON.
    """
    document = LimitsDocument.from_json(limits)
    shadow = _ShadowMode(document, NO_SHADOW_RULES, "", "key")
    return _windows(dict(rates), document, shadow, prefix="key-")


@lru_cache(maxsize=64)
def address_windows(
    category: LimitCategory, shadow_rules: ShadowRules = NO_SHADOW_RULES
) -> Windows:
    """The windows of a client address for a category that needs no credential.

    A password reset sends a mail, so it is limited as a write.
    """
    if category is LimitCategory.PASSWORD_RESET:
        rates = _with_burst(_tier_rates(LOWEST_TIER, LimitCategory.WRITE, 100))
    else:
        rate = PER_ADDRESS[category]
        rates = {"minute": rate.per_minute, "hour": rate.per_hour}
    return _table_windows(rates, category, shadow_rules)


@lru_cache(maxsize=64)
def email_windows(category: LimitCategory, shadow_rules: ShadowRules = NO_SHADOW_RULES) -> Windows:
    """The windows of an email address that the core charges."""
    if category is not LimitCategory.PASSWORD_RESET:
        return address_windows(category, shadow_rules)
    return _table_windows(PER_EMAIL, category, shadow_rules)


@lru_cache(maxsize=64)
def mail_windows(
    category: LimitCategory, tier: str, shadow_rules: ShadowRules = NO_SHADOW_RULES
) -> Windows:
    """The windows for mails.

    Args:
        category: one of `BY_MAIL`.
        tier: of the organization, if that is what is charged.
        shadow_rules: rules of the table in shadow mode.
    """
    of_tier = category is LimitCategory.MAIL_ORGANIZATION
    return _table_windows(
        MAILS_OF_TIER[tier] if of_tier else MAILS[category], category, shadow_rules
    )


def parse_shadow_rules(text: str) -> ShadowRules:
    """Rules of the table, by their names: "login, free.minute, pro.write.hour".

    Raises:
        ValueError: if there is no such rule.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = set(_names())
    for name in names:
        if name not in known:
            raise ValueError(f"there is no rule {name!r}")
    return ShadowRules(names)


def _names() -> Iterator[str]:
    """The names of the table's rules, with and without a category and a window."""
    windows = ("", ".burst", ".minute", ".hour")
    for tier, kind in product(TIERS, ("", *(f".{one}" for one in (*BY_TIER, POOL, APPLICATION)))):
        yield from (f"{tier}{kind}{window}" for window in windows)
    for category in (*BY_ADDRESS, *BY_ADDRESS_IF_COUNTED, LimitCategory.CREDENTIAL):
        yield from (f"{category}{window}" for window in windows)
    for category in BY_MAIL:
        yield from (f"{category}{window}" for window in ("", ".hour", ".day"))


@dataclass(frozen=True, slots=True)
class _ShadowMode:
    """Who may have put windows into shadow mode: the organization, and the table's operator.

    An organization's override of a rule is not the table's.

    Attributes:
        document: the limits of the organization.
        shadow_rules: rules of the table in shadow mode.
        tier: the tier of the rule, or "".
        kind: a category, "pool" or "key".
    """

    document: LimitsDocument
    shadow_rules: ShadowRules
    tier: str
    kind: str

    def includes(self, window: str) -> bool:
        """Whether a window is in shadow mode."""
        return (
            self.document.shadow
            or ShadowRules(self.document.shadow_rules).matches(self.kind, window)
            or (not self._is_overridden(window) and self._is_shadowed(window))
        )

    def _is_shadowed(self, window: str) -> bool:
        return self.shadow_rules.matches(self.tier, self.kind, window)

    def _is_overridden(self, window: str) -> bool:
        """A burst belongs to the minute."""
        overrides = self.document.overrides.get(self.kind, {})
        return ("minute" if window == "burst" else window) in overrides


def _tier_rates(tier: str, category: LimitCategory, percent: int) -> Rates:
    rate, share = TIERS[tier], CATEGORY_SHARE[category] * percent / 100
    return {"minute": _part(rate.per_minute, share), "hour": _part(rate.per_hour, share)}


def _with_burst(rates: Rates) -> Rates:
    return {"burst": -(-rates["minute"] * BURST_FACTOR // BURSTS_IN_A_MINUTE), **rates}


def _table_windows(rates: Rates, category: LimitCategory, shadow_rules: ShadowRules) -> Windows:
    """The windows for limits that no organization changes."""
    shadow = _ShadowMode(DEFAULT_LIMITS, shadow_rules, "", category)
    return _windows(rates, DEFAULT_LIMITS, shadow)


def _windows(
    rates: Rates, document: LimitsDocument, shadow: _ShadowMode, prefix: str = ""
) -> Windows:
    """The windows for limits by period, on the organization's calendar."""
    zone = zone_of(document)
    return Windows(
        Window(f"{prefix}{name}", PERIODS[name], limit, zone, shadow.includes(name))
        for name, limit in rates.items()
    )


def zone_of(document: LimitsDocument) -> tzinfo:
    """The time zone of an organization; UTC if this machine does not know it."""
    try:
        return ZoneInfo(document.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _part(rate: int, share: Fraction) -> int:
    return min(LARGEST_LIMIT, max(1, int(rate * share)))


def _check_complete() -> None:
    """Compares the table with the categories of the contract.

    Raises:
        RuntimeError: if a category has no rule, or a rule no category.
    """
    ruled = {*CATEGORY_SHARE, *PER_ADDRESS, LimitCategory.PASSWORD_RESET}
    ruled |= {*MAILS, LimitCategory.MAIL_ORGANIZATION}
    if ruled != set(LIMITED):
        raise RuntimeError(f"limit categories and rules differ: {sorted(ruled ^ set(LIMITED))}")


_check_complete()
