"""Turns everything that is raised into one gRPC status; no internal detail leaks."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from portico_kit.call import Call
from portico_kit.errors import DomainError, InternalError
from portico_kit.rpc.pipeline import Context, Proceed

DOMAIN = "portico"

log = structlog.get_logger("rpc")


class Errors:
    """Turns what a call raises into google.rpc.Status with ErrorInfo, BadRequest and RetryInfo."""

    async def __call__(
        self, request: Any, call: Call, proceed: Proceed, context: Context
    ) -> Message:
        """Answers, or ends the call with a status."""
        try:
            return await proceed(request, call)
        except DomainError as error:
            return await _abort(context, error)
        except Exception:
            log.exception("unexpected_error", rpc=call.method.path, request_id=call.request_id)
            return await _abort(context, InternalError())


async def _abort(context: Context, error: DomainError) -> NoReturn:
    metadata: list[tuple[str, str | bytes]] = [
        ("grpc-status-details-bin", status(error).SerializeToString())
    ]
    if error.challenge:
        metadata.append(("www-authenticate", error.challenge))
    await context.abort(
        grpc.StatusCode[error.code.name], error.message, trailing_metadata=tuple(metadata)
    )


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
        code=error.code, message=error.message, details=[_pack(d) for d in details]
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
