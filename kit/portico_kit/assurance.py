"""How surely a person has signed in: what they have shown, and what that is worth.

The levels follow NIST SP 800-63B: two factors of different kinds make the second one. They
have to come by different channels, too: who reads somebody's mail can set a new password by
mail, and would read the code as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import combinations
from typing import Any


class Assurance(IntEnum):
    """How surely; a higher one includes the lower ones."""

    NONE = 0
    AAL1 = 1
    AAL2 = 2
    PHISHING_RESISTANT = 3

    @property
    def acr(self) -> str:
        """The authentication context class (OpenID Connect Core, section 2)."""
        return _ACR[self]

    @classmethod
    def of(cls, acr: str) -> Assurance:
        """The level of an authentication context class; NONE for no class of ours."""
        return next((level for level, name in _ACR.items() if name == acr), cls.NONE)

    @property
    def way_out(self) -> str:
        """What a person has to do who has nothing with which they could reach it."""
        return "enrollment" if self >= Assurance.AAL2 else "sign_in"


_ACR: Mapping[Assurance, str] = {
    Assurance.NONE: "0",
    Assurance.AAL1: "urn:portico:aal1",
    Assurance.AAL2: "urn:portico:aal2",
    # As OpenID Connect Extended Authentication Profile, section 2 names it.
    Assurance.PHISHING_RESISTANT: "phr",
}


@dataclass(frozen=True, slots=True)
class Method:
    """A way to show who one is.

    Attributes:
        kinds: what it shows: something that the person knows, has or is.
        channel: by which way it comes.
        amr: the names of RFC 8176 for it.
        second: whether it is asked for beside a first factor.
        resists_phishing: whether it is of no use to another site.
    """

    kinds: frozenset[str]
    channel: str
    amr: tuple[str, ...]
    second: bool = True
    resists_phishing: bool = False


# What a provider of another sign-in checked is known to the provider alone; it counts as one
# factor, or as two if its organization says so.
METHODS: Mapping[str, Method] = {
    "password": Method(frozenset({"knowledge"}), "memory", ("pwd",), second=False),
    "federated": Method(frozenset({"knowledge"}), "provider", (), second=False),
    "federated_mfa": Method(frozenset({"knowledge", "possession"}), "provider", ("mca",)),
    "totp": Method(frozenset({"possession"}), "app", ("otp",)),
    "recovery_code": Method(frozenset({"possession"}), "paper", ("otp",)),
    "email": Method(frozenset({"possession"}), "mail", ("otp",)),
    "sms": Method(frozenset({"possession"}), "phone", ("sms",)),
    "passkey": Method(
        frozenset({"possession", "inherence"}), "passkey", ("hwk", "user"), resists_phishing=True
    ),
    # One that a provider keeps for all of the person's devices.
    "synced_passkey": Method(
        frozenset({"possession", "inherence"}), "passkey", ("swk", "user"), resists_phishing=True
    ),
}


@dataclass(frozen=True, slots=True)
class Authentication:
    """Something that was shown.

    Attributes:
        method: a name of `METHODS`.
        channel: by which way it came, if by another one than usual: a password that was set
            by a mail is worth no more than the mail.
    """

    method: str
    at: datetime
    channel: str = ""

    @property
    def is_second(self) -> bool:
        """Whether it is more than a first factor."""
        return METHODS[self.method].second

    def counts_for(self, level: Assurance) -> bool:
        """Whether it is of the kind that a level asks for: what it needs, it needs lately."""
        if level >= Assurance.PHISHING_RESISTANT:
            return METHODS[self.method].resists_phishing
        return self.is_second or level < Assurance.AAL2

    @property
    def way(self) -> str:
        """The channel."""
        return self.channel or METHODS[self.method].channel


def assurance(shown: Iterable[Authentication]) -> Assurance:
    """What everything that was shown is worth."""
    shown = list(shown)
    methods = [METHODS[each.method] for each in shown]
    if any(method.resists_phishing for method in methods):
        return Assurance.PHISHING_RESISTANT
    if any(len(method.kinds) > 1 for method in methods):
        return Assurance.AAL2
    if any(_two_factors(one, other) for one, other in combinations(shown, 2)):
        return Assurance.AAL2
    return Assurance.AAL1 if shown else Assurance.NONE


def _two_factors(one: Authentication, other: Authentication) -> bool:
    return METHODS[one.method].kinds != METHODS[other.method].kinds and one.way != other.way


def amr(shown: Iterable[Authentication]) -> list[str]:
    """The authentication methods (RFC 8176), sorted; "mfa" among them if there were two factors."""
    shown = list(shown)
    names = {name for each in shown for name in METHODS[each.method].amr}
    if assurance(shown) >= Assurance.AAL2:
        names.add("mfa")
    return sorted(names)


def last(shown: Sequence[Authentication], level: Assurance = Assurance.NONE) -> datetime | None:
    """When something was last shown that counts for a level."""
    return max((each.at for each in shown if each.counts_for(level)), default=None)


def with_shown(shown: Sequence[Authentication], new: Authentication) -> list[Authentication]:
    """The newest of each method."""
    return [each for each in shown if each.method != new.method] + [new]


def reaching(
    candidates: Mapping[str, Authentication], shown: Sequence[Authentication], level: Assurance
) -> list[str]:
    """With which of the candidates a person comes to a level, sorted.

    Args:
        candidates: what the person could show, by the name that they choose it by.
        shown: what they have shown already.
    """
    return sorted(
        name
        for name, each in candidates.items()
        if each.counts_for(level) and assurance(with_shown(shown, each)) >= level
    )


def as_json(shown: Iterable[Authentication]) -> list[dict[str, Any]]:
    """The form in which it is stored."""
    return [
        {"method": each.method, "at": each.at.timestamp()}
        | ({"channel": each.channel} if each.channel else {})
        for each in shown
    ]


def from_json(stored: Iterable[Mapping[str, Any]], at: datetime) -> list[Authentication]:
    """What was stored.

    Args:
        at: any moment in the time zone that the times shall have.
    """
    return [
        Authentication(
            each["method"],
            datetime.fromtimestamp(each["at"], at.tzinfo),
            each.get("channel", ""),
        )
        for each in stored
    ]


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a method of the contract asks for.

    Attributes:
        level: at least this.
        second_factor: whether people who have a second factor must have shown it.
        max_age: how long ago at the most; None for ever.
        without_second_factor: whether people without one are asked for anything at all.
    """

    level: Assurance
    max_age: timedelta | None
    second_factor: bool = False
    without_second_factor: bool = True

    def for_person(self, *, has_second_factor: bool) -> Requirement | None:
        """What it asks of a person; None if nothing."""
        if not self.second_factor:
            return self
        if has_second_factor:
            return replace(self, level=max(self.level, Assurance.AAL2))
        return self if self.without_second_factor else None

    @property
    def lowered(self) -> Requirement | None:
        """What it asks of a person whose factors do not reach the level; None if the same.

        Who is asked for the most that they can shows what they have.
        """
        if not (self.second_factor and self.without_second_factor):
            return None
        return replace(self, level=min(self.level, Assurance.AAL1))

    def missing(self, shown: Sequence[Authentication], now: datetime) -> str | None:
        """What is missing: "factor", "freshness", or None if nothing is."""
        if assurance(shown) < self.level:
            return "factor"
        newest = last(shown, self.level)
        if self.max_age is not None and (newest is None or now - newest > self.max_age):
            return "freshness"
        return None
