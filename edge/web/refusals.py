"""What the core refuses, as a person reads it: by its reason, never in the core's own words."""

from __future__ import annotations

from http import HTTPStatus

import grpc

from edge.web.core_client import CoreError
from edge.web.languages import Catalog

_STATUSES = {
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    grpc.StatusCode.ABORTED: HTTPStatus.CONFLICT,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.CONFLICT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.UNPROCESSABLE_ENTITY,
    # Not 401: that asks the browser for a credential of HTTP's own.
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNPROCESSABLE_ENTITY,
}


def refusal_status(error: CoreError) -> int:
    """The status of a page that shows a refusal."""
    return int(_STATUSES.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR))


def refusal_text(catalog: Catalog, error: CoreError, request_id: str) -> str:
    """The sentence for a refusal; one without a text of its own names the request."""
    key = f"refusals.{error.reason}"
    if catalog.has(key):
        return catalog.text(key)
    return catalog.text("refusals.OTHER", request_id=request_id)


def field_texts(catalog: Catalog, error: CoreError) -> dict[str, str]:
    """For each field that is to blame a sentence that says what it must be."""
    return {name: _field_text(catalog, name, rule) for name, rule in error.violations.items()}


def _field_text(catalog: Catalog, name: str, rule: str) -> str:
    """The text for the rule of this very field, else for the rule, else that something is wrong."""
    for key in (f"fields.{name}.{rule}", f"rules.{rule}"):
        if catalog.has(key):
            return catalog.text(key)
    return catalog.text("rules.OTHER")
