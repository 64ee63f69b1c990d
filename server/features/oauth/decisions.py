"""What an authorization request needs next of the person who is signed in: a pure rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from portico_kit.assurance import Assurance, Authentication, assurance, last
from portico_kit.errors import invalid
from portico_kit.oauth_scopes import OPENID, PERSONAL_SCOPES
from server.features.applications.facade import Client
from server.features.oauth.requests import AuthorizationRequest
from server.features.oauth.tokens import of_organizations

Next = Literal["sign_in", "step_up", "organization", "consent", "approve", "respond"]

# What `prompt=none` is answered if the person would have to be asked.
_WITHOUT_ASKING: Mapping[Next, str] = {
    "sign_in": "login_required",
    "step_up": "interaction_required",
    "organization": "interaction_required",
    "consent": "consent_required",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """An organization that the person can choose, or none.

    Attributes:
        id: None if the application is let into no organization.
        allowed: what the person may do there.
        demand: how surely they must have signed in to do it.
        granted: what the application was given there before; None if it was not let in.
        declined: what the person has left out there.
    """

    id: UUID | None
    name: str = ""
    allowed: frozenset[str] = frozenset()
    demand: Assurance = Assurance.NONE
    granted: frozenset[str] | None = None
    declined: frozenset[str] = frozenset()

    def wanted(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """What the application can be given here, of what it asks for."""
        return tuple(each for each in scopes if each in PERSONAL_SCOPES or each in self.allowed)

    def new(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """What of that it was not given before."""
        return tuple(each for each in self.wanted(scopes) if each not in (self.granted or ()))

    def unasked(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """What of that the person has not decided about."""
        return tuple(each for each in self.new(scopes) if each not in self.declined)

    def covers(self, scopes: Sequence[str]) -> bool:
        """Whether the person has given all of it before, or left it out."""
        if self.granted is None or self.unasked(scopes):
            return False
        return bool(self.granted.intersection(scopes))


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the person who is signed in.

    Attributes:
        subject: what the application calls them.
        shown: what they have shown in their session.
        reachable: the levels that they could reach.
        choices: their organizations, and None for none.
        first_party: whether the application needs no consent.
    """

    subject: str
    shown: Sequence[Authentication]
    reachable: frozenset[Assurance]
    choices: Sequence[Choice]
    first_party: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What is next.

    Attributes:
        choices: where the application can be let in, the ones that it was let into before first.
        levels: to step up to one of them.
        error: what the application is answered, with a description.
    """

    next: Next
    choices: Sequence[Choice] = ()
    levels: Sequence[Assurance] = ()
    error: tuple[str, str] = ("", "")

    @property
    def may_be_approved(self) -> bool:
        """Whether only the person's word is missing, if anything is."""
        return self.next in ("organization", "consent", "approve")


def decide(request: AuthorizationRequest, facts: Facts) -> Decision:
    """What a request needs next. Where no page may be shown, that is an answer."""
    found = _decide(request, facts)
    if "none" in request.prompt and found.next in _WITHOUT_ASKING:
        error = _WITHOUT_ASKING[found.next]
        return Decision("respond", error=(error, "the person would have to be asked"))
    return found


def _decide(request: AuthorizationRequest, facts: Facts) -> Decision:
    if request.subject and request.subject != facts.subject:
        return Decision("sign_in")
    if _is_stale(request, facts):
        return Decision("sign_in")
    step_up = _step_up(request, facts)
    if step_up is not None:
        return step_up
    return _choose(request, facts)


def _is_stale(request: AuthorizationRequest, facts: Facts) -> bool:
    """Whether the person has to sign in once more. Who did it for this request has done it."""
    newest = last(facts.shown)
    at = newest.timestamp() if newest else 0.0
    if at >= request.requested_at:
        return False
    if "login" in request.prompt:
        return True
    return request.max_age is not None and facts.now.timestamp() - at > request.max_age


def _step_up(request: AuthorizationRequest, facts: Facts) -> Decision | None:
    """Whether the person has to show more, or cannot show what must be shown."""
    if not request.acr_values:
        return None
    reached = assurance(facts.shown)
    if any(reached >= level for level in request.levels):
        return None
    levels = [level for level in request.levels if level in facts.reachable]
    # No page may be shown: what is asked for voluntarily is not worth an error.
    if levels and (request.acr_essential or "none" not in request.prompt):
        return Decision("step_up", levels=levels)
    if request.acr_essential:
        error = "unmet_authentication_requirements"
        return Decision("respond", error=(error, "the person cannot show what is asked for"))
    return None


def _choose(request: AuthorizationRequest, facts: Facts) -> Decision:
    """Where the application can be let in, and whether the person is asked."""
    choices = _choices(request, facts)
    if not choices:
        error = ("access_denied", "the person may do none of it in any organization")
        return Decision("respond", error=error)
    reached = assurance(facts.shown)
    open_ones = [each for each in choices if each.demand <= reached]
    if not open_ones:
        levels = sorted({each.demand for each in choices} & facts.reachable)
        if levels:
            return Decision("step_up", levels=levels[:1])
        return Decision("respond", error=("access_denied", "the organization asks for a factor"))
    return Decision(_asked(request, facts, open_ones), open_ones)


def _asked(request: AuthorizationRequest, facts: Facts, choices: Sequence[Choice]) -> Next:
    if {"consent", "select_account"} & set(request.prompt):
        return "consent"
    covered = [each for each in choices if each.covers(request.scopes)]
    if len(covered) == 1 or (facts.first_party and len(choices) == 1):
        return "approve"
    return "organization" if covered or facts.first_party else "consent"


def _choices(request: AuthorizationRequest, facts: Facts) -> Sequence[Choice]:
    wanted = of_organizations(request.scopes)
    within = [each for each in facts.choices if each.id is not None and wanted & each.allowed]
    if within:
        return sorted(within, key=lambda each: (not each.covers(request.scopes), each.name))
    return _personal(request, facts)


def _personal(request: AuthorizationRequest, facts: Facts) -> Sequence[Choice]:
    """For what concerns the person alone: what was agreed to with an organization covers it."""
    outside = [each for each in facts.choices if each.id is None and each.wanted(request.scopes)]
    if any(each.covers(request.scopes) for each in outside):
        return outside
    known = [each for each in facts.choices if each.covers(request.scopes)]
    return [replace(known[0], demand=Assurance.NONE)] if outside and known else outside


def chosen(
    decision: Decision, scopes: Sequence[str], organization_id: UUID | None
) -> Choice | None:
    """The choice that an approval names; the only one if it names none, or the only known one."""
    if organization_id is not None:
        return next((each for each in decision.choices if each.id == organization_id), None)
    if len(decision.choices) == 1:
        return decision.choices[0]
    covered = [each for each in decision.choices if each.covers(scopes)]
    return covered[0] if len(covered) == 1 else None


def required_of(client: Client) -> frozenset[str]:
    """The scopes that people cannot leave out; of an application of the operator all."""
    return client.scopes if client.first_party else client.required_scopes | {OPENID}


def given_of(
    decision: Decision,
    choice: Choice,
    asked: Sequence[str],
    given: Sequence[str],
    required: frozenset[str],
) -> tuple[str, ...]:
    """What the person gives, in the order in which it was asked for.

    Args:
        given: what they chose; empty for all that they have not left out before. Who is asked
            has all of it before them.
        required: what they cannot leave out.

    Raises:
        InvalidRequestError: if it is more than was asked for, or than they may give, or less
            than the application needs.
    """
    wanted = choice.wanted(asked)
    if not given:
        left_out = () if decision.next == "consent" else choice.declined
        return tuple(each for each in wanted if each not in left_out)
    if not set(given) <= set(wanted):
        raise invalid("scopes", "SCOPE_NOT_ASKED_FOR", "must be scopes that can be given")
    if not required.intersection(wanted) <= set(given):
        raise invalid("scopes", "SCOPE_REQUIRED", "must have the scopes that are required")
    return tuple(each for each in wanted if each in given)
