"""Who is charged, and in which windows: from a descriptor to budgets, without any I/O.

Where a descriptor is unclear the caller gets the smallest budget that fits, and the
charge carries a warning for the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from edge.ratelimit import rules
from edge.ratelimit.rules import DEFAULT_LIMITS
from edge.ratelimit.shadow_mode import NO_SHADOW_RULES, ShadowRules
from edge.ratelimit.windows import Period, Window, Windows
from portico_contract.limit_categories import BY_MAIL, BY_TIER, LIMITED, LimitCategory
from portico_kit.edge_state.limits import LARGEST_LIMIT, PERIODS, POOL, LimitsDocument

DOMAIN = "portico"

# The keys of the entries in a descriptor of our gateway, and of the core.
ENTRIES = frozenset(
    {
        "category",
        "subject",
        "tier",
        "organization",
        "application",
        "limits",
        "address",
        "email",
    }
)

# Callers without any name share one budget.
UNKNOWN_CALLER = "unknown"
# What a provider assigns to one customer.
IPV6_PREFIX_BITS = 64
# What is longer in the name of a budget is hashed.
MAX_NAME_CHARACTERS = 100

Limits = Mapping[str, LimitsDocument]
Entries = tuple[tuple[str, str], ...]


class DescriptorWarning(StrEnum):
    """What is unclear about a descriptor."""

    NO_CALLER = "no_caller"
    UNREADABLE_ADDRESS = "unreadable_address"
    UNKNOWN_TIER = "unknown_tier"
    UNKNOWN_CATEGORY = "unknown_category"
    UNREADABLE_LIMITS = "unreadable_limits"
    UNKNOWN_ENTRY = "unknown_entry"
    UNKNOWN_UNIT = "unknown_unit"


@dataclass(frozen=True, slots=True)
class Override:
    """A limit in the descriptor itself."""

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
        budgets: from which it is taken.
        cost: how much is taken from each window.
        warnings: what is unclear about the descriptor.
    """

    rule: str
    budgets: tuple[Budget, ...]
    cost: int
    warnings: tuple[DescriptorWarning, ...] = ()


def overridden(domain: str, entries: Entries, override: Override, cost: int) -> Charge:
    """The charge of a descriptor that carries its own limit."""
    name = override.period.name.lower()
    label = "|".join(f"{key}={value}" for key, value in entries)
    if len(label) > MAX_NAME_CHARACTERS:
        label = blake2b(label.encode(), digest_size=16).hexdigest()
    # Any descriptors of a domain may come together, so all of it is in one slot of a cluster.
    budget = _budget(f"domain:{domain}", f"{label}:{name}", _override_windows(override))
    return Charge("override", (budget,), cost)


@lru_cache(maxsize=1024)
def _override_windows(override: Override) -> Windows:
    name = override.period.name.lower()
    return Windows([Window(name, override.period, min(override.limit, LARGEST_LIMIT))])


def unlimited(cost: int) -> Charge:
    """The charge of a descriptor without a rule."""
    return Charge("none", (), cost)


def with_warning(charge: Charge, warning: DescriptorWarning) -> Charge:
    """The same charge with one more warning."""
    return replace(charge, warnings=(*charge.warnings, warning))


def charge_for(
    entries: Mapping[str, str],
    cost: int,
    limits: Limits,
    shadow_rules: ShadowRules = NO_SHADOW_RULES,
) -> Charge:
    """Finds the budgets of a descriptor of our own gateway.

    Args:
        entries: the descriptor: category, and subject with tier, organization,
            application and limits, or address, or email; for mails email,
            organization with tier, or subject.
        cost: of the request.
        limits: of the organizations whose limits differ from their tier's.
        shadow_rules: rules of the table in shadow mode.
    """
    warnings: list[DescriptorWarning] = []
    if not entries.keys() <= ENTRIES:
        warnings.append(DescriptorWarning.UNKNOWN_ENTRY)
    category = _category(entries, warnings)
    if category in BY_TIER:
        budgets = _tier_budgets(entries, category, limits, shadow_rules, warnings)
    elif category in BY_MAIL:
        budgets = (_mail_budget(entries, category, shadow_rules, warnings),)
    else:
        budgets = (_anonymous_budget(entries, category, shadow_rules, warnings),)
    return Charge(category.value, budgets, cost, tuple(warnings))


def _tier_budgets(
    entries: Mapping[str, str],
    category: LimitCategory,
    limits: Limits,
    shadow_rules: ShadowRules,
    warnings: list[DescriptorWarning],
) -> tuple[Budget, ...]:
    """The budgets of the caller, of its organization, and of its own limits if it has any.

    An application that acts for a person is a caller of its own, beside the person and every
    other application; what it does for all persons together has a ceiling.
    """
    subject = _subject(entries)
    if subject is None:
        tag = _address(entries, warnings) or _unknown(warnings)
        windows = rules.tier_windows(rules.LOWEST_TIER, category, shadow_rules=shadow_rules)
        return (_budget(tag, category, windows),)
    tier = _tier(entries, warnings)
    organization = entries.get("organization", "")
    document = limits.get(organization, DEFAULT_LIMITS)
    own = _own_windows(entries.get("limits", ""), document, warnings)
    application = _application_of(entries)
    # A caller and its organization are charged together, so they share a hash slot; without an
    # organization a caller shares it with its application.
    if organization:
        tag, name = f"org:{organization}", f"{subject}:"
    elif application:
        tag, name = application, f"{subject}:"
    else:
        tag, name = subject, ""
    if application:
        name = f"{name}{application}:"
    windows = rules.tier_windows(tier, category, document.json, shadow_rules)
    budgets = [_budget(tag, f"{name}{category}", windows)]
    if application:
        ceiling = rules.application_windows(tier, document.json, shadow_rules)
        budgets.append(_budget(tag, application, ceiling))
    if organization:
        budgets.append(_budget(tag, POOL, rules.pool_windows(tier, document.json, shadow_rules)))
    if own:
        budgets.append(_budget(tag, f"{name}own", own))
    return tuple(budgets)


def _anonymous_budget(
    entries: Mapping[str, str],
    category: LimitCategory,
    shadow_rules: ShadowRules,
    warnings: list[DescriptorWarning],
) -> Budget:
    """The budget of a call that needs no credential, and so is open to guessing."""
    email = entries.get("email")
    if email:
        return _budget(f"email:{email}", category, rules.email_windows(category, shadow_rules))
    tag = _address(entries, warnings) or _subject(entries) or _unknown(warnings)
    return _budget(tag, category, rules.address_windows(category, shadow_rules))


def _mail_budget(
    entries: Mapping[str, str],
    category: LimitCategory,
    shadow_rules: ShadowRules,
    warnings: list[DescriptorWarning],
) -> Budget:
    """The budget of a recipient, an organization or a caller for mails.

    One mail is charged to all of them together, so they share a hash slot.
    """
    of_tier = category is LimitCategory.MAIL_ORGANIZATION
    tier = _tier(entries, warnings) if of_tier else rules.LOWEST_TIER
    charged = next(filter(None, map(entries.get, ("email", "organization", "subject"))), None)
    name = f"{category}:{charged or _unknown(warnings)}"
    return _budget("mail", name, rules.mail_windows(category, tier, shadow_rules))


def _budget(tag: str, name: str, windows: Windows) -> Budget:
    """The braces are a hash tag: what is charged together is in one hash slot of a cluster."""
    return Budget(f"rl:{{{tag}}}:{name}", windows)


def _category(entries: Mapping[str, str], warnings: list[DescriptorWarning]) -> LimitCategory:
    name = entries.get("category", "")
    if name in LIMITED:
        return LimitCategory(name)
    warnings.append(DescriptorWarning.UNKNOWN_CATEGORY)
    return LimitCategory.DELETE


def _tier(entries: Mapping[str, str], warnings: list[DescriptorWarning]) -> str:
    tier = entries.get("tier", "")
    if tier in rules.TIERS:
        return tier
    warnings.append(DescriptorWarning.UNKNOWN_TIER)
    return rules.LOWEST_TIER


def _subject(entries: Mapping[str, str]) -> str | None:
    subject = entries.get("subject")
    return f"subject:{subject}" if subject else None


def _application_of(entries: Mapping[str, str]) -> str | None:
    """The application that acts for somebody else; one that acts for itself is a caller alone."""
    application = entries.get("application")
    if not application or application == entries.get("subject"):
        return None
    return f"application:{application}"


def _address(entries: Mapping[str, str], warnings: list[DescriptorWarning]) -> str | None:
    text = entries.get("address")
    if not text:
        return None
    try:
        return f"address:{_client(ip_address(text))}"
    except ValueError:
        warnings.append(DescriptorWarning.UNREADABLE_ADDRESS)
        return None


def _client(address: IPv4Address | IPv6Address) -> str:
    """The name of one client: an IPv4 address, or an IPv6 network."""
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), IPV6_PREFIX_BITS), strict=False))


def _unknown(warnings: list[DescriptorWarning]) -> str:
    warnings.append(DescriptorWarning.NO_CALLER)
    return UNKNOWN_CALLER


def _own_windows(
    text: str, organization: LimitsDocument, warnings: list[DescriptorWarning]
) -> Windows | None:
    """The windows in "minute=60,day=1000"; what cannot be parsed is ignored.

    These limits apply in addition to the tier's, so a caller gains nothing by it.
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
            warnings.append(DescriptorWarning.UNREADABLE_LIMITS)
    return rules.own_windows(tuple(rates.items()), organization.json) if rates else None
