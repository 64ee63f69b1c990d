"""May this request pass? A pure function from the outcome of a look-up and the route."""

from __future__ import annotations

from dataclasses import dataclass

from edge.authorize.verified_key import Outcome, Refused, Unavailable, VerifiedKey
from portico_kit.networks import allows


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request continues in the name of the key."""

    key: VerifiedKey


@dataclass(frozen=True, slots=True)
class MissingScope:
    """The key is valid, but the method needs a permission that is not among its scopes."""

    permission: str


@dataclass(frozen=True, slots=True)
class AddressNotAllowed:
    """The key is valid, but not for a client at this address."""


Decision = Admitted | AddressNotAllowed | MissingScope | Refused | Unavailable


def decide(outcome: Outcome, permission: str, address: str) -> Decision:
    """Decides about a request.

    Args:
        outcome: of the key's look-up.
        permission: what the method needs, for example "keys:write"; "" if any
            valid key may call it as far as the edge can tell.
        address: the client's IP address; "" if it is not known.
    """
    if not isinstance(outcome, VerifiedKey):
        return outcome
    if not allows(outcome.allowed_cidrs, address):
        return AddressNotAllowed()
    if permission and permission not in outcome.scopes:
        return MissingScope(permission)
    return Admitted(outcome)
