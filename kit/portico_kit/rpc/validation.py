"""Checks requests against the validation rules of the contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.message import Message
from protovalidate import Validator, Violation

from portico_kit.call import Call
from portico_kit.changes import mask_violations
from portico_kit.errors import FieldViolation, InvalidRequestError
from portico_kit.rpc.moments import moment_violations
from portico_kit.rpc.pipeline import Proceed

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
        violations = [named for each in broken for named in field_violations(each, request)]
        violations += moment_violations(request)
        if call.method.masked:
            violations += mask_violations(request)
        if violations:
            raise InvalidRequestError(violations=tuple(violations[:MAX_VIOLATIONS]))
        return await proceed(request, call)


def field_violations(violation: Violation, request: Message) -> Iterator[FieldViolation]:
    """A broken rule in our words: "string.min_len" of a field becomes STRING_MIN_LEN.

    A rule about a choice or about a whole message is broken by each field that it
    is about, for a client knows nothing else by name.
    """
    proto = violation.proto
    reason = proto.rule_id.upper().replace(".", "_")
    path, choices = _place(violation, request)
    description = proto.message
    if len(choices) > 1:
        description = f"exactly one of {', '.join(choices)} is required"
    for name in choices or ("",):
        yield FieldViolation(".".join(filter(None, (path, name))), reason, description)


def _place(violation: Violation, request: Message) -> tuple[str, Sequence[str]]:
    """The path to the field, "limits.per_minute" or "scopes[2]", and the fields to name in it.

    There are none to name if the path leads to a field; else they are the choices
    of a oneof, or all fields of the message that the rule is about.
    """
    path = violation.proto.field
    parts: list[str] = []
    within: Any = request.DESCRIPTOR
    for element in path.elements if path else ():
        name, subscript = element.field_name, element.subscript
        oneof = within.oneofs_by_name.get(name) if within is not None else None
        if oneof is not None:
            return ".".join(parts), [field.name for field in oneof.fields]
        parts.append(name + (f"[{subscript.value}]" if subscript else ""))
        field = within.fields_by_name.get(name) if within is not None else None
        within = field.message_type if field is not None else None
    return ".".join(parts), () if parts else [field.name for field in request.DESCRIPTOR.fields]
