"""The rules: how much each kind of caller may ask for. A table; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cache

from edge.ratelimit.windows import Period, Window


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

# What is guessed at by strangers is counted by the address they come from.
PER_ADDRESS: Mapping[Category, Rate] = {
    Category.LOGIN: Rate(5, 20),
    Category.REGISTER: Rate(3, 10),
}

# How often a mail with a reset link goes to one person.
PER_EMAIL = (Window("hour", Period.HOUR, 3),)

# In ten seconds, a caller may go at twice the average rate of its minute.
BURST_FACTOR = 2
BURSTS_IN_A_MINUTE = 6


@cache
def tier_windows(tier: str, category: Category) -> tuple[Window, ...]:
    """The windows of a tier for reads, writes or deletions.

    Raises:
        KeyError: if there is no such tier, or the category has a rate of its own.
    """
    rate, share = TIERS[tier], SHARES[category]
    per_minute = max(1, int(rate.per_minute * share))
    per_hour = max(1, int(rate.per_hour * share))
    per_burst = -(-per_minute * BURST_FACTOR // BURSTS_IN_A_MINUTE)
    return (Window("burst", Period.BURST, per_burst), *_windows(Rate(per_minute, per_hour)))


@cache
def address_windows(category: Category) -> tuple[Window, ...]:
    """The windows of a client address for a category that strangers call.

    Asking for a password reset costs us a mail, so it counts as a write.
    """
    if category is Category.PASSWORD_RESET:
        return tier_windows(LOWEST_TIER, Category.WRITE)
    return _windows(PER_ADDRESS[category])


def email_windows(category: Category) -> tuple[Window, ...]:
    """The windows of an email address, when the core asks for one."""
    return PER_EMAIL if category is Category.PASSWORD_RESET else address_windows(category)


def _windows(rate: Rate) -> tuple[Window, ...]:
    return (
        Window("minute", Period.MINUTE, rate.per_minute),
        Window("hour", Period.HOUR, rate.per_hour),
    )
