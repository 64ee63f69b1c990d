"""Holds how surely a person has signed in against what the method asks for (RFC 9470).

It stands in the contract, so that no method has to think of it; see the option `access`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from google.protobuf.message import Message

from portico_contract import AssuranceLevel, StepUp
from portico_kit.assurance import Assurance, Authentication, Requirement
from portico_kit.call import Call
from portico_kit.errors import InsufficientUserAuthenticationError, UnauthenticatedError
from portico_kit.rpc.pipeline import Proceed


class Standings(Protocol):
    """Knows what people have shown, and what they could show."""

    async def shown(self, session_id: UUID) -> Sequence[Authentication] | None:
        """What the person of a session has shown in it; None if there is no such session."""
        ...

    async def can_show(
        self, user_id: UUID, shown: Sequence[Authentication], level: Assurance
    ) -> Sequence[str]:
        """The methods with which a person can reach a level, sorted; none if they cannot.

        Args:
            shown: what they have shown already.
        """
        ...


class StepUps:
    """Lets in who has shown what the method asks for. Programs are never asked."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Proceeds if the person has shown enough.

        Raises:
            InsufficientUserAuthenticationError: if something is missing.
        """
        session_id = call.principal.session_id
        if call.method.step_up is not None and session_id is not None:
            await self._require(requirement(call.method.step_up), session_id, call)
        return await proceed(request, call)

    async def _require(self, asked: Requirement, session_id: UUID, call: Call) -> None:
        wanted = asked.for_person(has_second_factor=call.person.has_second_factor)
        if wanted is None:
            return
        shown = await self._standings.shown(session_id)
        if shown is None:
            raise UnauthenticatedError
        if wanted.missing(shown, call.now) is None:
            return
        methods = await self._standings.can_show(call.user_id, shown, wanted.level)
        if not methods and wanted.lowered is not None:
            methods = await self._standings.can_show(call.user_id, shown, wanted.lowered.level)
            wanted = wanted.lowered if methods else wanted
        missing = wanted.missing(shown, call.now)
        if missing is not None:
            raise _refusal(wanted, missing, methods)


def _refusal(
    wanted: Requirement, missing: str, methods: Sequence[str]
) -> InsufficientUserAuthenticationError:
    return InsufficientUserAuthenticationError(
        missing=missing if methods else wanted.level.way_out,
        acr=wanted.level.acr,
        max_age=None if wanted.max_age is None else int(wanted.max_age.total_seconds()),
        methods=" ".join(methods),
    )


@cache
def requirement(step_up: StepUp) -> Requirement:
    """What a method's option means."""
    max_age = None if step_up.max_age is None else timedelta(seconds=step_up.max_age)
    match step_up.level:
        case AssuranceLevel.SECOND_FACTOR_IF_ENROLLED:
            return Requirement(
                Assurance.AAL1, max_age, second_factor=True, without_second_factor=False
            )
        case AssuranceLevel.HIGHEST_ENROLLED:
            return Requirement(Assurance.AAL1, max_age, second_factor=True)
        case AssuranceLevel.AAL2:
            return Requirement(Assurance.AAL2, max_age)
        case AssuranceLevel.PHISHING_RESISTANT:
            return Requirement(Assurance.PHISHING_RESISTANT, max_age)
