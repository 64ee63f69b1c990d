"""What can be refused about projects."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class ProjectNotFoundError(DomainError):
    """There is no such project."""

    code = StatusCode.NOT_FOUND
    reason = "PROJECT_NOT_FOUND"


class ProjectArchivedError(DomainError):
    """The project is archived; restore it first."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "PROJECT_ARCHIVED"


class ProjectActiveError(DomainError):
    """The project is active; there is nothing to restore."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "PROJECT_ACTIVE"


class ProjectLimitReachedError(DomainError):
    """The organization has as many projects as its tier allows."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "PROJECT_LIMIT_REACHED"


class ProjectAlreadyThereError(DomainError):
    """The organization owns the project already."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "PROJECT_ALREADY_THERE"
