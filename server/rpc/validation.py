"""Fifth: the rules that stand beside the fields in the contract."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from protovalidate import Validator, Violation

from server.kit.call import Call
from server.kit.changes import mask_violations
from server.kit.errors import FieldViolation, InvalidRequestError
from server.rpc.pipeline import Proceed

MAX_VIOLATIONS = 20


class Validation:
    """Refuses a request that breaks a rule, naming every field that does."""

    def __init__(self) -> None:
        self._validator = Validator()

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Proceeds with a valid request.

        Raises:
            InvalidRequestError: with a violation for each broken rule.
        """
        broken = self._validator.collect_violations(request)
        violations = [field_violation(violation) for violation in broken[:MAX_VIOLATIONS]]
        if call.method.masked:
            violations += mask_violations(request)
        if violations:
            raise InvalidRequestError(violations=tuple(violations[:MAX_VIOLATIONS]))
        return await proceed(request, call)


def field_violation(violation: Violation) -> FieldViolation:
    """A broken rule in our words: "string.min_len" of a field becomes STRING_MIN_LEN."""
    proto = violation.proto
    return FieldViolation(
        field=field_path(violation),
        reason=proto.rule_id.upper().replace(".", "_"),
        description=proto.message,
    )


def field_path(violation: Violation) -> str:
    """The path to the field, "limits.per_minute" or "scopes[2]"."""
    path = violation.proto.field
    parts = []
    for element in path.elements if path else ():
        subscript = element.subscript
        parts.append(element.field_name + (f"[{subscript.value}]" if subscript else ""))
    return ".".join(parts)
