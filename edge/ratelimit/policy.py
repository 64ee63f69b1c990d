"""Who is charged, and in which windows: from a descriptor to budgets, without any I/O.

Where a descriptor is not clear the caller gets the smallest budget that fits,
and the charge carries the doubt so that it can be logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from edge.ratelimit import rules
from edge.ratelimit.rules import OF_THE_TIER, Category
from edge.ratelimit.shadows import NO_SHADOWS, Shadows
from edge.ratelimit.windows import Period, Window, Windows
from portico_kit.edge_state.limits import LARGEST_LIMIT, PERIODS, OrganizationLimits

DOMAIN = "portico"

# What the entries of a descriptor of our gateway, and of the core, can be.
ENTRIES = frozenset({"category", "subject", "tier", "organization", "limits", "address", "email"})

# Whoever cannot be told apart shares one budget.
UNKNOWN_CALLER = "unknown"
IPV6_PREFIX = 64  # what one customer of a provider is given
LONGEST_NAME = 100  # characters in a key; what is longer is hashed

Limits = Mapping[str, OrganizationLimits]
Entries = tuple[tuple[str, str], ...]


class Doubt(StrEnum):
    """What was not clear about a descriptor."""

    NO_CALLER = "no_caller"
    UNREADABLE_ADDRESS = "unreadable_address"
    UNKNOWN_TIER = "unknown_tier"
    UNKNOWN_CATEGORY = "unknown_category"
    UNREADABLE_LIMITS = "unreadable_limits"
    UNKNOWN_ENTRY = "unknown_entry"
    UNKNOWN_UNIT = "unknown_unit"


@dataclass(frozen=True, slots=True)
class Override:
    """A limit that the asking Envoy brings along."""

    limit: int
    period: Period


@dataclass(frozen=True, slots=True)
class Budget:
    """Windows that are counted under one key."""

    key: str
    windows: Windows


@dataclass(frozen=True, slots=True)
class Charge:
    """What one descriptor takes, and from which budgets.

    Attributes:
        rule: the name of the rule, for metrics.
        cost: how much is taken from every window.
    """

    rule: str
    budgets: tuple[Budget, ...]
    cost: int
    doubts: tuple[Doubt, ...] = ()


def overridden(domain: str, entries: Entries, override: Override, cost: int) -> Charge:
    """A descriptor of anyone's that says its limit itself."""
    name = override.period.name.lower()
    told = "|".join(f"{key}={value}" for key, value in entries)
    if len(told) > LONGEST_NAME:
        told = blake2b(told.encode(), digest_size=16).hexdigest()
    # Any descriptors of a domain may come together, so all of it is in one slot of a cluster.
    budget = _budget(f"domain:{domain}", f"{told}:{name}", _override_windows(override))
    return Charge("override", (budget,), cost)


@lru_cache(maxsize=1024)
def _override_windows(override: Override) -> Windows:
    name = override.period.name.lower()
    return Windows([Window(name, override.period, min(override.limit, LARGEST_LIMIT))])


def unlimited(cost: int) -> Charge:
    """A descriptor for which there is no rule."""
    return Charge("none", (), cost)


def with_doubt(charge: Charge, doubt: Doubt) -> Charge:
    """The same charge with one doubt more."""
    return replace(charge, doubts=(*charge.doubts, doubt))


def charge_for(
    entries: Mapping[str, str], cost: int, limits: Limits, shadows: Shadows = NO_SHADOWS
) -> Charge:
    """Finds the budgets of a descriptor of our own gateway.

    Args:
        entries: the descriptor: category, and subject with tier, organization
            and limits, or address, or email; for mails email, organization with
            tier, or subject.
        cost: what the request costs.
        limits: those of organizations that have some of their own.
        shadows: rules of the table that are only tried.
    """
    doubts: list[Doubt] = []
    if not entries.keys() <= ENTRIES:
        doubts.append(Doubt.UNKNOWN_ENTRY)
    category = _category(entries, doubts)
    if category in rules.SHARES:
        budgets = _tier_budgets(entries, category, limits, shadows, doubts)
    elif category in rules.MAIL_CATEGORIES:
        budgets = (_mail_budget(entries, category, shadows, doubts),)
    else:
        budgets = (_stranger_budget(entries, category, shadows, doubts),)
    return Charge(category.value, budgets, cost, tuple(doubts))


def _tier_budgets(
    entries: Mapping[str, str],
    category: Category,
    limits: Limits,
    shadows: Shadows,
    doubts: list[Doubt],
) -> tuple[Budget, ...]:
    """The budget of the caller, of its organization, and of its own limits if it has any."""
    subject = _subject(entries)
    if subject is None:
        tag = _address(entries, doubts) or _unknown(doubts)
        windows = rules.tier_windows(rules.LOWEST_TIER, category, shadows=shadows)
        return (_budget(tag, category, windows),)
    tier = _tier(entries, doubts)
    organization = entries.get("organization", "")
    theirs = limits.get(organization, OF_THE_TIER)
    own = _own_windows(entries.get("limits", ""), theirs, doubts)
    # The organization's node of a cluster counts all of its callers, for what is decided
    # together must lie together.
    tag, name = (f"org:{organization}", f"{subject}:") if organization else (subject, "")
    windows = rules.tier_windows(tier, category, theirs.json, shadows)
    budgets = [_budget(tag, f"{name}{category}", windows)]
    if organization:
        budgets.append(_budget(tag, rules.POOL, rules.pool_windows(tier, theirs.json, shadows)))
    if own:
        budgets.append(_budget(tag, f"{name}own", own))
    return tuple(budgets)


def _stranger_budget(
    entries: Mapping[str, str], category: Category, shadows: Shadows, doubts: list[Doubt]
) -> Budget:
    """The budget of a call that needs no credential, and so is open to guessing."""
    email = entries.get("email")
    if email:
        return _budget(f"email:{email}", category, rules.email_windows(category, shadows))
    tag = _address(entries, doubts) or _subject(entries) or _unknown(doubts)
    return _budget(tag, category, rules.address_windows(category, shadows))


def _mail_budget(
    entries: Mapping[str, str], category: Category, shadows: Shadows, doubts: list[Doubt]
) -> Budget:
    """The budget of a recipient, an organization or a caller for mails.

    One mail is charged to all of them together, so they lie together.
    """
    of_tier = category is Category.MAIL_ORGANIZATION
    tier = _tier(entries, doubts) if of_tier else rules.LOWEST_TIER
    charged = next(filter(None, map(entries.get, ("email", "organization", "subject"))), None)
    name = f"{category}:{charged or _unknown(doubts)}"
    return _budget("mail", name, rules.mail_windows(category, tier, shadows))


def _budget(tag: str, name: str, windows: Windows) -> Budget:
    """The braces are a hash tag: what is decided together lives on one node of a cluster."""
    return Budget(f"rl:{{{tag}}}:{name}", windows)


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


def _own_windows(
    text: str, organization: OrganizationLimits, doubts: list[Doubt]
) -> Windows | None:
    """The windows in "minute=60,day=1000"; what cannot be read is left out.

    These limits come on top of the tier's, so a caller gains nothing by it.
    """
    if not text:
        return None
    rates: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, _, digits = part.partition("=")
        readable = name in PERIODS and digits.isascii() and digits.isdigit()
        if readable and 1 <= int(digits) <= LARGEST_LIMIT:
            rates[name] = int(digits)
        else:
            doubts.append(Doubt.UNREADABLE_LIMITS)
    return rules.own_windows(tuple(rates.items()), organization.json) if rates else None
