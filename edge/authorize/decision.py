"""May this request pass? A pure function from the outcome of a look-up and the route."""

from __future__ import annotations

from dataclasses import dataclass

from edge.authorize.principal import Outcome, Principal, Refused, Unavailable


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request goes on in the name of the principal."""

    principal: Principal


@dataclass(frozen=True, slots=True)
class MissingScope:
    """The key is valid, but the method needs a permission that is not among its scopes."""

    permission: str


Decision = Admitted | MissingScope | Refused | Unavailable


def decide(outcome: Outcome, permission: str) -> Decision:
    """Decides about a request.

    Args:
        outcome: what is known of the key.
        permission: what the method needs, for example "keys:write"; "" if any
            valid key may call it as far as the edge can tell.
    """
    if not isinstance(outcome, Principal):
        return outcome
    if permission and permission not in outcome.scopes:
        return MissingScope(permission)
    return Admitted(outcome)
