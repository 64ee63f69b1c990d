"""The OpenAPI 3.1 document: the public JSON, made from the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edge.gateway.bodies import needs_body, replaces
from edge.gateway.openapi.answers import (
    CONDITIONAL,
    HEADERS,
    REQUEST_ID_HEADER,
    envelope_schemas,
    responses,
    shared_responses,
)
from edge.gateway.openapi.events import PARAMETERS, webhooks
from edge.gateway.openapi.schemas import Direction, Schemas
from edge.gateway.paths import camel, variables
from edge.gateway.typed import Json
from edge.stream.paths import STREAM_EVENTS
from portico_contract import AccessRule, AssuranceLevel, Binding, Contract, Method, StepUp
from portico_kit.oauth_scopes import ORGANIZATION_SCOPES, SCOPES

_DESCRIPTION = (
    "Accounts, organizations, API keys, rate limits and webhooks. Responses have an "
    "envelope: `data` and `meta` on success, `error` otherwise."
)
# None is given so far (SPDX, annex D: a reference to what is not in its list).
_LICENSE: Json = {"name": "Proprietary", "identifier": "LicenseRef-Proprietary"}
_SECURITY_SCHEMES: Json = {
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of a person's session.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The secret of an organization's API key.",
    },
    "oauth2": {
        "type": "oauth2",
        "description": (
            "The access token of an application, with the scope that is named. A token that is "
            "bound to a key has the scheme DPoP, and each request a proof in the header DPoP "
            "(RFC 9449). /.well-known/openid-configuration has the endpoints (OpenID Connect)."
        ),
        "flows": {
            "authorizationCode": {
                "authorizationUrl": "/oauth/authorize",
                "tokenUrl": "/oauth/token",
                "refreshUrl": "/oauth/token",
                "scopes": dict(SCOPES),
            },
            "clientCredentials": {
                "tokenUrl": "/oauth/token",
                "scopes": dict(ORGANIZATION_SCOPES),
            },
        },
    },
}
_PERSON: list[Json] = [{"accessToken": []}]
_PERSON_OR_KEY: list[Json] = [*_PERSON, {"apiKey": []}]

_HEADER_PARAMETERS: dict[str, Json] = {
    REQUEST_ID_HEADER: {
        "description": "An ID of the client's choice that identifies the request.",
        "schema": {"type": "string"},
    },
    "Idempotency-Key": {
        "description": (
            "Executes a request that is retried within 24 hours only once. The retry gets the "
            "first response if the caller is still authorized to see it. If the response "
            "contained a credential, the retry gets 409 CREDENTIAL_NOT_REPLAYED, which names "
            "the resource."
        ),
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    },
    "Last-Event-ID": {
        "description": (
            "The position that the client has received last; takes the place of `after`. Browsers "
            "send it when they open a stream again."
        ),
        "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    },
    "If-Match": {
        "description": "The ETag that the resource must still have for the request to be executed.",
        "schema": {"type": "string"},
    },
    "If-None-Match": {
        "description": "The ETag of what the client has already; 304 says that it is still so.",
        "schema": {"type": "string"},
    },
}


def build(
    contract: Contract, version: str, event_versions: Mapping[str, int] | None = None
) -> Json:
    """Describes every method that has a URL, and what is posted to webhooks.

    Args:
        version: of the product.
        event_versions: of the schemas of event types; None leaves them out.

    Raises:
        ContractError: if something in the contract cannot be described.
    """
    schemas = Schemas(contract)
    paths: dict[str, Json] = {}
    for method in contract.routed:
        if method.rest is not None:
            path = paths.setdefault(_public_path(method.rest), {})
            path[method.rest.verb.lower()] = _operation(method, method.rest, contract, schemas)
    posted = webhooks(contract, schemas, event_versions or {})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Portico",
            "version": version,
            "description": _DESCRIPTION,
            "contact": {"name": "Portico"},
            "license": _LICENSE,
        },
        "servers": [{"url": "/"}],
        "tags": _tags(contract),
        "paths": dict(sorted(paths.items())),
        "webhooks": posted,
        "components": _components(schemas),
    }


def _components(schemas: Schemas) -> Json:
    parameters = {
        name: {"name": name, "in": "header", **described}
        for name, described in _HEADER_PARAMETERS.items()
    }
    parameters |= {
        name: {"name": name, "in": "header", "required": True, **described}
        for name, described in PARAMETERS.items()
    }
    return {
        "schemas": {**envelope_schemas(), **schemas.components},
        "responses": shared_responses(),
        "parameters": parameters,
        "headers": HEADERS,
        "securitySchemes": _SECURITY_SCHEMES,
    }


def _tags(contract: Contract) -> list[Json]:
    """One for each feature, which may have several services."""
    described: dict[str, list[str]] = {}
    for service in dict.fromkeys(method.service for method in contract.routed):
        described.setdefault(_tag(service), []).append(contract.comments.get(service, ""))
    return [{"name": name, "description": " ".join(texts)} for name, texts in described.items()]


def _tag(service: str) -> str:
    """The feature: "keys" of portico.keys.v1.ApiKeyService."""
    return service.split(".")[1]


def _public_path(binding: Binding) -> str:
    path = binding.template
    for name in variables(path):
        path = path.replace(f"{{{name}}}", f"{{{camel(name)}}}")
    return path


def _operation(method: Method, binding: Binding, contract: Contract, schemas: Schemas) -> Json:
    comment = contract.comments.get(method.full_name, "")
    operation: Json = {
        "operationId": method.name[0].lower() + method.name[1:],
        "tags": [_tag(method.service)],
        "summary": comment.partition(". ")[0].removesuffix("."),
        "description": " ".join(filter(None, (comment, _step_up_text(method.step_up)))),
        "security": _security(method),
        "parameters": [
            *_path_parameters(method, binding, schemas),
            *_query_parameters(method, binding, schemas),
            *_header_parameters(method, binding),
        ],
        **_request_body(method, binding, schemas),
        "responses": responses(method, schemas),
    }
    if method.permission:
        operation["x-permission"] = method.permission
    if method.step_up is not None:
        operation["x-assurance"] = method.step_up.level.value
        operation["x-max-age-seconds"] = method.step_up.max_age
    if method.timeout is not None:
        operation["x-timeout-seconds"] = method.timeout
    return operation


_STEP_UP_TEXTS = {
    AssuranceLevel.SECOND_FACTOR_IF_ENROLLED: "A person who has a second factor must have shown it",
    AssuranceLevel.HIGHEST_ENROLLED: (
        "A person must have shown their second factor or, without one, their password"
    ),
    AssuranceLevel.AAL2: "A person must have shown a second factor",
    AssuranceLevel.PHISHING_RESISTANT: "A person must have shown a passkey",
}


def _step_up_text(step_up: StepUp | None) -> str:
    """What a method asks of a person's sign-in, as a sentence."""
    if step_up is None:
        return ""
    age = "in this session"
    if step_up.max_age is not None:
        age = f"in the last {step_up.max_age} seconds"
    refusal = "401 INSUFFICIENT_USER_AUTHENTICATION otherwise (RFC 9470)"
    return f"{_STEP_UP_TEXTS[step_up.level]} {age}; {refusal}."


def _security(method: Method) -> list[Json]:
    """Who may call a method, each of them alone."""
    if method.access is AccessRule.PUBLIC:
        return []
    if method.access is not AccessRule.PERMISSION:
        return _PERSON
    scopes = [method.permission] if method.permission else []
    return [*_PERSON_OR_KEY, {"oauth2": scopes}]


def _path_parameters(method: Method, binding: Binding, schemas: Schemas) -> Iterable[Json]:
    for name in variables(binding.template):
        schema = schemas.value(method.input.fields_by_name[name], Direction.REQUEST)
        yield {"name": camel(name), "in": "path", "required": True, "schema": schema}


def _query_parameters(method: Method, binding: Binding, schemas: Schemas) -> Iterable[Json]:
    """Without a body, what is not in the path is in the query."""
    if binding.has_body:
        return
    in_path = variables(binding.template)
    for field in method.input.fields:
        if field.name not in in_path:
            schema = schemas.value(field, Direction.REQUEST)
            yield {"name": field.json_name, "in": "query", "schema": schema}


def _header_parameters(method: Method, binding: Binding) -> list[Json]:
    names = [REQUEST_ID_HEADER]
    if method.idempotency.takes_key:
        names.append("Idempotency-Key")
    if binding.verb in CONDITIONAL:
        names.append("If-Match")
    if method.full_name == STREAM_EVENTS:
        names.append("Last-Event-ID")
    if binding.verb == "GET" and binding.response_field:
        names.append("If-None-Match")
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _request_body(method: Method, binding: Binding, schemas: Schemas) -> Json:
    in_path = variables(binding.template)
    if not binding.has_body or len(method.input.fields) == len(in_path):
        return {}
    schema = schemas.body(method.input, without=in_path)
    if replaces(binding):
        schema = {"allOf": [schema], "minProperties": 1}
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": needs_body(method, binding), "content": content}}
