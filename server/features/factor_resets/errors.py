"""What can be refused about resets of factors."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class SelfResetError(DomainError):
    """Administrators cannot reset their own factors."""

    code = StatusCode.PERMISSION_DENIED
    reason = "SELF_RESET"


class FactorResetNotFoundError(DomainError):
    """There is no such reset: the token is wrong, or the reset is over."""

    code = StatusCode.NOT_FOUND
    reason = "FACTOR_RESET_NOT_FOUND"
