"""Pure rules about what an organization asks of its members at a sign-in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from portico_kit.assurance import Assurance
from portico_kit.errors import invalid

OFF = "off"
# What a session must have reached, by the name of the requirement.
LEVELS: Mapping[str, Assurance] = {
    "required": Assurance.AAL2,
    "phishing_resistant": Assurance.PHISHING_RESISTANT,
}
MOST_AHEAD = timedelta(days=30)
REMINDED_AHEAD = timedelta(days=1)
# Two moments that are no further apart are one.
AT_ONCE = timedelta(minutes=1)


def concerns(roles: Collection[str] | None, role: str) -> bool:
    """Whether a requirement is about the members with a role.

    Args:
        roles: those that it names; none for all.
    """
    return not roles or role in roles


def strictest(*asked: tuple[str | None, datetime | None]) -> tuple[str, datetime] | None:
    """The strictest of what is asked of somebody, the first of them; None if nothing is.

    Args:
        asked: the names of requirements and when they begin; None for none.
    """
    named = [(name, since) for name, since in asked if name is not None and since is not None]
    return min(named, key=lambda each: (-LEVELS[each[0]], each[1]), default=None)


def begins_at(wanted: datetime | None, present: datetime | None, now: datetime) -> datetime:
    """When a requirement begins.

    Args:
        wanted: what the owner says; None, or what is over, for now.
        present: since when there is one, or will be; None if there is none.

    Raises:
        InvalidRequestError: if it is too far ahead.
    """
    if wanted is not None and wanted > now:
        if wanted > now + MOST_AHEAD:
            raise invalid("second_factor_from", "TOO_FAR_AHEAD", "must be within 30 days")
        return wanted
    # Who sends back what was read changes nothing, nor does the second of two at once, who
    # may have called a moment before the first.
    return present if present is not None and present <= now + AT_ONCE else now


def reminded_at(begins: datetime, now: datetime) -> datetime | None:
    """When members hear of it once more; None if it begins before."""
    reminded = begins - REMINDED_AHEAD
    return reminded if reminded > now else None
