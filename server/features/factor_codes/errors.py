"""What can be refused about codes."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class FactorExistsError(DomainError):
    """The person has this factor already."""

    code = StatusCode.ALREADY_EXISTS
    reason = "FACTOR_EXISTS"


class CodeSentRecentlyError(DomainError):
    """A code was sent less than a minute ago; wait for it, or ask again later."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "CODE_SENT_RECENTLY"
