"""Who is charged, and in which windows: a pure function from a descriptor to budgets.

Where a descriptor is not clear the caller gets the smallest budget that fits,
and the charge carries the doubt so that it can be logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from edge.ratelimit import rules
from edge.ratelimit.rules import Category
from edge.ratelimit.windows import Period, Window

# Whoever cannot be told apart shares one budget.
UNKNOWN_CALLER = "unknown"
IPV6_PREFIX = 64  # what one customer of a provider is given
LARGEST_LIMIT = 1_000_000_000


class Doubt(StrEnum):
    """What was not clear about a descriptor."""

    NO_CALLER = "no_caller"
    UNREADABLE_ADDRESS = "unreadable_address"
    UNKNOWN_TIER = "unknown_tier"
    UNKNOWN_CATEGORY = "unknown_category"
    UNREADABLE_LIMITS = "unreadable_limits"


@dataclass(frozen=True, slots=True)
class Budget:
    """Windows that are counted under one key."""

    key: str
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Charge:
    """What one descriptor takes, and from which budgets.

    Attributes:
        cost: how much is taken from every window.
    """

    budgets: tuple[Budget, ...]
    cost: int
    doubts: tuple[Doubt, ...] = ()


def charge_for(entries: Mapping[str, str], cost: int) -> Charge:
    """Finds the budgets of a descriptor.

    Args:
        entries: the descriptor: category, and subject with tier, organization
            and limits, or address, or email.
        cost: what the request costs.
    """
    doubts: list[Doubt] = []
    category = _category(entries, doubts)
    if category in rules.SHARES:
        budgets = _tier_budgets(entries, category, doubts)
    else:
        budgets = (_stranger_budget(entries, category, doubts),)
    return Charge(budgets, cost, tuple(doubts))


def _tier_budgets(
    entries: Mapping[str, str], category: Category, doubts: list[Doubt]
) -> tuple[Budget, ...]:
    """The budget of the caller's tier, and the one of the key's own limits if it has any."""
    subject = _subject(entries)
    if subject is None:
        tag = _address(entries, doubts) or _unknown(doubts)
        return (_budget(tag, category, rules.tier_windows(rules.LOWEST_TIER, category)),)
    windows = rules.tier_windows(_tier(entries, doubts), category)
    own = _own_windows(entries.get("limits", ""), doubts)
    budgets = (_budget(subject, category, windows),)
    return (*budgets, _budget(subject, "own", own)) if own else budgets


def _stranger_budget(entries: Mapping[str, str], category: Category, doubts: list[Doubt]) -> Budget:
    """The budget of a call that needs no credential, and so is open to guessing."""
    email = entries.get("email")
    if email:
        return _budget(f"email:{email}", category, rules.email_windows(category))
    tag = _address(entries, doubts) or _subject(entries) or _unknown(doubts)
    return _budget(tag, category, rules.address_windows(category))


def _budget(tag: str, name: str, windows: tuple[Window, ...]) -> Budget:
    """The braces are a hash tag: all budgets of a caller live on one node of a cluster."""
    return Budget(f"portico:limits:{{{tag}}}:{name}", windows)


def _category(entries: Mapping[str, str], doubts: list[Doubt]) -> Category:
    try:
        return Category(entries.get("category", ""))
    except ValueError:
        doubts.append(Doubt.UNKNOWN_CATEGORY)
        return Category.DELETE


def _tier(entries: Mapping[str, str], doubts: list[Doubt]) -> str:
    tier = entries.get("tier", "")
    if tier in rules.TIERS:
        return tier
    doubts.append(Doubt.UNKNOWN_TIER)
    return rules.LOWEST_TIER


def _subject(entries: Mapping[str, str]) -> str | None:
    subject = entries.get("subject")
    return f"subject:{subject}" if subject else None


def _address(entries: Mapping[str, str], doubts: list[Doubt]) -> str | None:
    text = entries.get("address")
    if not text:
        return None
    try:
        return f"address:{_client(ip_address(text))}"
    except ValueError:
        doubts.append(Doubt.UNREADABLE_ADDRESS)
        return None


def _client(address: IPv4Address | IPv6Address) -> str:
    """What stands for one client: an IPv4 address, or an IPv6 network."""
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), IPV6_PREFIX), strict=False))


def _unknown(doubts: list[Doubt]) -> str:
    doubts.append(Doubt.NO_CALLER)
    return UNKNOWN_CALLER


def _own_windows(text: str, doubts: list[Doubt]) -> tuple[Window, ...]:
    """The windows in "minute=60,day=1000"; what cannot be read is left out.

    These limits come on top of the tier's, so a caller gains nothing by it.
    """
    windows: dict[Period, Window] = {}
    for part in filter(None, text.split(",")):
        window = _own_window(part)
        if window is None:
            doubts.append(Doubt.UNREADABLE_LIMITS)
        else:
            windows[window.period] = window
    return tuple(windows.values())


def _own_window(text: str) -> Window | None:
    name, _, digits = text.partition("=")
    if name not in (Period.MINUTE, Period.HOUR, Period.DAY, Period.MONTH):
        return None
    if not (digits.isascii() and digits.isdigit()):
        return None
    limit = int(digits)
    return Window(f"key-{name}", Period(name), limit) if 1 <= limit <= LARGEST_LIMIT else None
