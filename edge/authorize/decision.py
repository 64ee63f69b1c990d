"""May this request pass? A pure function from the outcome of a look-up and the route."""

from __future__ import annotations

from dataclasses import dataclass

from edge.authorize.principal import Outcome, Principal, Refused, Unavailable
from portico_kit.networks import allows


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request goes on in the name of the principal."""

    principal: Principal


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
        outcome: what is known of the key.
        permission: what the method needs, for example "keys:write"; "" if any
            valid key may call it as far as the edge can tell.
        address: the client's IP address; "" if it is not known.
    """
    if not isinstance(outcome, Principal):
        return outcome
    if not allows(outcome.allowed_cidrs, address):
        return AddressNotAllowed()
    if permission and permission not in outcome.scopes:
        return MissingScope(permission)
    return Admitted(outcome)
