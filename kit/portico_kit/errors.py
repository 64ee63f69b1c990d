"""Refusals: what a service raises, and what a caller is told.

A feature's errors.py derives from `DomainError`, one class a refusal. The class
docstring is the message; `reason` and `code` stand beside it. Only the errors
interceptor turns them into a gRPC status.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from portico_kit.status import StatusCode


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that breaks a rule.

    Attributes:
        field: the path of the field, in the contract's names ("limits.per_minute").
        reason: the rule, in capitals ("TOO_SHORT").
        description: the rule as a sentence.
    """

    field: str
    reason: str
    description: str


class DomainError(Exception):
    """The request was refused."""

    code: ClassVar[StatusCode] = StatusCode.FAILED_PRECONDITION
    reason: ClassVar[str] = "REFUSED"
    # Whether what the call wrote before it was refused is committed all the same: a
    # refused sign-in in the audit log, the end of a session whose token was stolen.
    keeps_changes: bool = False
    # What WWW-Authenticate says of a 401, if it says more than the scheme.
    challenge: str = ""

    def __init__(
        self,
        *,
        violations: tuple[FieldViolation, ...] = (),
        retry_after: timedelta | None = None,
        **metadata: str,
    ) -> None:
        """Takes what belongs to this occurrence.

        Args:
            violations: the fields that are to blame.
            retry_after: when it makes sense to try again.
            metadata: facts for machines; they go out in ErrorInfo.metadata.
        """
        super().__init__(self.message)
        self.violations = violations
        self.retry_after = retry_after
        self.metadata = metadata

    @property
    def message(self) -> str:
        """The class docstring's first paragraph, on one line."""
        text = inspect.cleandoc(type(self).__doc__ or "").split("\n\n")[0]
        return " ".join(text.split())


class NotFoundError(DomainError):
    """There is no such resource."""

    code = StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class UnauthenticatedError(DomainError):
    """A valid credential is required."""

    code = StatusCode.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class TokenExpiredError(DomainError):
    """The access token has expired."""

    code = StatusCode.UNAUTHENTICATED
    reason = "TOKEN_EXPIRED"


class TokenBoundError(DomainError):
    """The access token is bound to a key: send it with the scheme DPoP, and a proof."""

    code = StatusCode.UNAUTHENTICATED
    reason = "TOKEN_BOUND"
    challenge = 'DPoP error="invalid_token"'


class InsufficientUserAuthenticationError(DomainError):
    """The person must show another factor, or show one again, before this request."""

    code = StatusCode.UNAUTHENTICATED
    reason = "INSUFFICIENT_USER_AUTHENTICATION"

    def __init__(self, *, missing: str, acr: str, max_age: int | None, methods: str) -> None:
        """Takes what is missing, for the challenge of RFC 9470, section 3 and for machines.

        Args:
            missing: "factor" if it was not shown in this session, "freshness" if that is too
                long ago. With no method: "enrollment" if the person has to enroll a factor
                first, "sign_in" if they have to sign in again.
            acr: the authentication context class that the request needs.
            max_age: how long ago the factor may have been shown, in seconds.
            methods: with which of the person's factors it can be shown, separated by blanks.
        """
        violation = FieldViolation(
            "assurance", missing.upper(), _wanted(missing, acr, max_age, methods)
        )
        super().__init__(violations=(violation,), missing=missing, acr_values=acr, methods=methods)
        fields = {"error": "insufficient_user_authentication", "acr_values": acr}
        if max_age is not None:
            self.metadata["max_age"] = fields["max_age"] = str(max_age)
        self.challenge = "Bearer " + ", ".join(f'{name}="{text}"' for name, text in fields.items())


def _wanted(missing: str, acr: str, max_age: int | None, methods: str) -> str:
    """What has to be shown, as a sentence."""
    age = "" if max_age is None else f", shown at most {max_age} seconds ago"
    if methods:
        by = f", by {' or '.join(methods.split())}"
    elif missing == "sign_in":
        by = "; the person has to sign in again"
    else:
        by = ", which the person has to enroll"
    return f"must be {acr}{age}{by}"


class AddressNotAllowedError(DomainError):
    """The credential may not be used from this address."""

    code = StatusCode.PERMISSION_DENIED
    reason = "ADDRESS_NOT_ALLOWED"


class PermissionDeniedError(DomainError):
    """The credential does not allow this request."""

    code = StatusCode.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class PermissionsExceededError(DomainError):
    """The resource has permissions that the caller lacks."""

    code = StatusCode.PERMISSION_DENIED
    reason = "PERMISSIONS_EXCEEDED"


class BoundToProjectsError(DomainError):
    """The credential is bound to projects, and the request is about the whole organization."""

    code = StatusCode.PERMISSION_DENIED
    reason = "BOUND_TO_PROJECTS"


class InvalidRequestError(DomainError):
    """The request is not valid."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "VALIDATION_ERROR"


class MalformedMessageError(DomainError):
    """The request is not a valid message of the method."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MALFORMED_MESSAGE"


class ConcurrentUpdateError(DomainError):
    """The resource was changed at the same time; read it again."""

    code = StatusCode.ABORTED
    reason = "CONCURRENT_UPDATE"


class EtagMismatchError(DomainError):
    """The resource does not match If-Match or If-None-Match."""

    code = StatusCode.ABORTED
    reason = "ETAG_MISMATCH"


class UnavailableError(DomainError):
    """A part of the platform is unavailable; try again later."""

    code = StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"

    def __init__(self, *, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(retry_after=retry_after)


class PayloadTooLargeError(DomainError):
    """The message is larger than 4 MiB, or 1 MiB as JSON."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "PAYLOAD_TOO_LARGE"


class StreamEndedError(DomainError):
    """The stream has ended; open it again."""

    code = StatusCode.UNAVAILABLE
    reason = "STREAM_ENDED"


class AnswerTooLargeError(DomainError):
    """The response would be larger than 4 MiB; request less at once."""

    code = StatusCode.OUT_OF_RANGE
    reason = "ANSWER_TOO_LARGE"


class InternalError(DomainError):
    """An internal error occurred."""

    code = StatusCode.INTERNAL
    reason = "INTERNAL"


def invalid(field: str, reason: str, description: str) -> InvalidRequestError:
    """The refusal of a request for one field."""
    return InvalidRequestError(violations=(FieldViolation(field, reason, description),))
