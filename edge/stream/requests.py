"""What a client asks for, as the gateway hands it on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from google.protobuf.timestamp_pb2 import Timestamp
from portico.events.v1.event_service_pb2 import StreamEventsRequest

from edge.stream.core_client import Caller
from edge.stream.refusals import Refusal, RefusedError, Violation
from portico_kit.edge_state.possession import POSSESSION_HEADER

STREAM_PATH = re.compile(r"/api/v1/organizations/([^/]+)/events/stream/?")
HEALTH_PATH = "/health"
MOST_PARAMETERS = 60
BEARER = "Bearer "


def caller(headers: Mapping[str, str]) -> Caller:
    """Who asks. The gateway has looked at the credential, and the core looks again."""
    authorization = headers.get("authorization", "")
    return Caller(
        access_token=authorization.removeprefix(BEARER) if authorization.startswith(BEARER) else "",
        possession=headers.get(POSSESSION_HEADER, ""),
        address=headers.get("x-edge-address", ""),
        request_id=headers.get("x-request-id", ""),
    )


def stream_request(
    organization_id: str, query: str, headers: Mapping[str, str]
) -> StreamEventsRequest:
    """What stream is asked for; Last-Event-ID goes before everything else.

    Raises:
        RefusedError: if there are parameters that a stream does not have.
    """
    request = StreamEventsRequest(organization_id=organization_id)
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="strict"
        )
    except ValueError:
        raise _invalid("", "INVALID_TYPE", "The query is malformed.") from None
    for name, value in pairs:
        _set(request, name, value)
    last_event_id = headers.get("last-event-id", "")
    if last_event_id:
        request.after, request.cursor = last_event_id, ""
        request.ClearField("since")
    return request


def _set(request: StreamEventsRequest, name: str, value: str) -> None:
    match name:
        case "types":
            request.types.append(value)
        case "after":
            request.after = value
        case "cursor":
            request.cursor = value
        case "since":
            request.since.CopyFrom(_moment(value))
        case "organizationId" | "organization_id":
            pass  # The path says it, as for every method.
        case _:
            raise _invalid(name, "UNKNOWN_PARAMETER", "There is no such parameter.")


def _moment(text: str) -> Timestamp:
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
        if found.tzinfo is None:
            raise ValueError(text)
        message = Timestamp()
        message.FromDatetime(found)
    except (ValueError, OverflowError):
        message_text = "The value does not fit the type of the field."
        raise _invalid("since", "INVALID_TYPE", message_text) from None
    return message


def _invalid(field: str, code: str, message: str) -> RefusedError:
    details = [Violation(field, code, message)] if field else []
    return RefusedError(Refusal(422, "VALIDATION_ERROR", "The request is not valid.", details))
