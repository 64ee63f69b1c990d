"""Tokens that pass from one application to another (RFC 8693, sections 1.1 and 4.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

from portico_kit.jwt import Claims
from server.features.applications.facade import TOKEN_EXCHANGE, Client

# Who acts for the person, and who did before. Only to be read: nothing is decided by it.
ACT = "act"
# The client_id of each application that had the token before, first the one that the person
# approved. A claim of our own: RFC 8693, section 4.1 keeps access rules off what `act` nests.
VIA = "via"
# Applications that may have one token after the other.
MAX_HOLDERS = 5


def holders_of(claims: Claims) -> tuple[str, ...]:
    """The client_id of each application that has had a token; the last one has it now."""
    return (*claims.private.get(VIA, ()), str(claims.private["client_id"]))


def is_exchanged(claims: Claims) -> bool:
    """Whether a token was given in exchange for another."""
    return VIA in claims.private


def passes_on(holders: Sequence[Client], organization_id: UUID | None) -> bool:
    """Whether each application may have the token that the one before it had."""
    return all(may_exchange(one, next_, organization_id) for one, next_ in pairwise(holders))


def may_exchange(holder: Client, actor: Client, organization_id: UUID | None) -> bool:
    """Whether an application may exchange the tokens of another.

    The other one has named it. It acts only in the organization that owns it: nobody there
    learns of a token that acts in another, or in none.

    Args:
        organization_id: in which the token acts.
    """
    return (
        actor.id in holder.token_exchange_client_ids
        and TOKEN_EXCHANGE in actor.grant_types
        and actor.organization_id == organization_id
    )


def scopes_of(holders: Sequence[Client]) -> frozenset[str]:
    """What each of the applications may have."""
    scopes = holders[0].scopes
    for each in holders[1:]:
        scopes &= each.scopes
    return scopes


def actors_among(holders: Sequence[Client]) -> tuple[UUID, ...]:
    """Who acts with a token that was given in exchange, the one that has it now first."""
    return tuple([each.id for each in holders[:0:-1]]) if len(holders) > 1 else ()


def delegation(actor: Client, subject: Claims) -> Mapping[str, Any]:
    """The claims that say of a new token who acts with it, and who did before."""
    act: dict[str, Any] = {"sub": actor.client_id}
    if ACT in subject.private:
        act[ACT] = subject.private[ACT]
    return {ACT: act, VIA: list(holders_of(subject))}
