"""Confirming in the middle of something that it is you, and going on where you were.

The core refuses what needs a fresher or a stronger sign-in. The person is sent to a page that
asks for it, and what they had typed waits in a sealed cookie meanwhile: without anything
secret, for this session alone. Back on their page it is filled in once more, and done when
they press its button again; nothing is ever done for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from edge.web import cookies
from edge.web.core_client import CoreError
from edge.web.forms import FIELD
from edge.web.sealing import Seals

REASON = "INSUFFICIENT_USER_AUTHENTICATION"
# What the core says is missing if the person has nothing that would do: where that is a
# factor they enroll one first, else they sign in again.
ENROLLMENT = "enrollment"
SIGN_IN = "sign_in"


@dataclass(frozen=True)
class StepUpNeededError(Exception):
    """The person must first confirm that it is them.

    Attributes:
        missing: "enrollment", "sign_in", "factor" or "freshness".
        methods: with which they can, sorted.
        acr: to which level.
    """

    missing: str
    methods: Sequence[str] = ()
    acr: str = ""

    @classmethod
    def of(cls, error: CoreError) -> StepUpNeededError:
        """What a refusal of the core asks for."""
        methods = error.metadata.get("methods", "").split()
        acr = error.metadata.get("acr_values", "")
        return cls(error.metadata.get("missing", ""), methods, acr)


@dataclass(frozen=True, slots=True)
class StepUp:
    """What a person was doing when they were asked.

    Attributes:
        session_id: of the session in which that was.
        place: the page, with its query if it was opened and not sent.
        fields: what they had typed, without anything secret.
        methods: with which they can confirm it.
        acr: to which level; empty for the most that they can.
        challenge: the challenge that they answer, once there is one.
        is_done: whether they have confirmed it.
    """

    session_id: str
    place: str
    fields: Mapping[str, str] = field(default_factory=dict)
    methods: Sequence[str] = ()
    acr: str = ""
    challenge: str = field(default="", repr=False)
    is_done: bool = False

    def seal(self, seals: Seals) -> str:
        """The value of the cookie. What is too long for one is not kept."""
        value = seals.seal(cookies.STEP_UP, asdict(self), cookies.STEP_UP_SECONDS)
        if len(value) <= cookies.MAX_LENGTH or not self.fields:
            return value
        return replace(self, fields={}).seal(seals)

    @classmethod
    def unseal(cls, seals: Seals, value: str) -> StepUp | None:
        """What a cookie holds, if it is one of ours."""
        content = seals.unseal(cookies.STEP_UP, value) if value else None
        try:
            return None if content is None else cls(**content)
        except TypeError:
            return None  # an older release has sealed it


def harmless(fields: Mapping[str, str], secret: frozenset[str]) -> dict[str, str]:
    """What of a form may wait in a cookie."""
    return {name: text for name, text in fields.items() if name not in secret | {FIELD}}
