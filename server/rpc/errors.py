"""Outermost: everything that is raised becomes one gRPC status, and nothing from inside leaks."""

from __future__ import annotations

from typing import Any, NoReturn

import psycopg
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from server.kit.call import Call
from server.kit.db import ConstraintErrors, refusal
from server.kit.errors import (
    ConcurrentUpdateError,
    DomainError,
    EtagMismatchError,
    InternalError,
    InvalidRequestError,
    UnavailableError,
)
from server.rpc.nul import nul_violations
from server.rpc.pipeline import Context, Proceed

DOMAIN = "portico"

log = structlog.get_logger("rpc")


class Errors:
    """Turns what a call raises into google.rpc.Status with ErrorInfo, BadRequest and RetryInfo."""

    def __init__(self, constraint_errors: ConstraintErrors) -> None:
        """Takes the refusals that the features' constraints stand for, by constraint name."""
        self._constraint_errors = constraint_errors

    async def __call__(
        self, request: Any, call: Call, proceed: Proceed, context: Context
    ) -> Message:
        """Answers, or ends the call with a status."""
        try:
            return await proceed(request, call)
        except Exception as error:
            return await _abort(context, self._refusal(error, request, call))

    def _refusal(self, error: Exception, request: Message, call: Call) -> DomainError:
        if isinstance(error, DomainError):
            return error
        known = self._database_refusal(error, request, call)
        if known is not None:
            return known
        log.exception("unexpected_error", rpc=call.method.path, request_id=call.request_id)
        return InternalError()

    def _database_refusal(
        self, error: Exception, request: Message, call: Call
    ) -> DomainError | None:
        """What the database said, in our words; None if it is a surprise."""
        match error:
            case IntegrityError():
                return refusal(error, self._constraint_errors)
            case StaleDataError():
                return _lost_race(call)
            case DataError() if "NUL" in str(error.orig):
                return InvalidRequestError(violations=nul_violations(request))
            case OperationalError() | InterfaceError() | PoolTimeout() | psycopg.OperationalError():
                log.warning("database_unavailable", rpc=call.method.path, error=str(error)[:200])
                return UnavailableError()
        return None


def _lost_race(call: Call) -> DomainError:
    """Another call changed the row between this one's look and its write."""
    return EtagMismatchError() if "if-match" in call.metadata else ConcurrentUpdateError()


async def _abort(context: Context, error: DomainError) -> NoReturn:
    details = ("grpc-status-details-bin", status(error).SerializeToString())
    await context.abort(error.code, error.message, trailing_metadata=(details,))


def status(error: DomainError) -> status_pb2.Status:
    """The google.rpc.Status that tells a client what an error says."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    ]
    if error.violations:
        details.append(_bad_request(error))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromTimedelta(error.retry_after)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return status_pb2.Status(
        code=error.code.value[0], message=error.message, details=[_pack(d) for d in details]
    )


def _bad_request(error: DomainError) -> error_details_pb2.BadRequest:
    violations = [
        error_details_pb2.BadRequest.FieldViolation(
            field=violation.field, reason=violation.reason, description=violation.description
        )
        for violation in error.violations
    ]
    return error_details_pb2.BadRequest(field_violations=violations)


def _pack(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
