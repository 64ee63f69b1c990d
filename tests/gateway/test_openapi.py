"""The OpenAPI document: valid, complete, and exact about fields."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from edge.gateway.openapi.document import build
from edge.gateway.settings import ROOT
from portico_contract import AccessRule, Contract


@pytest.fixture(scope="module")
def document(contract: Contract) -> dict[str, Any]:
    return build(contract, "1.2.3")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            yield path, verb, operation


def operation(document: dict[str, Any], operation_id: str) -> dict[str, Any]:
    [found] = [o for _, _, o in operations(document) if o["operationId"] == operation_id]
    return found


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in references(document):
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_method_with_a_url_is_described(document: dict[str, Any], contract: Contract) -> None:
    described = {operation["operationId"] for _, _, operation in operations(document)}
    bound = [method.name for method in contract.routed if method.rest is not None]
    assert described == {name[0].lower() + name[1:] for name in bound}
    assert len(bound) == len(described)


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for _, _, described in operations(document):
        assert described["summary"]
        assert set(described["tags"]) <= tags


def test_all_variables_of_a_path_are_parameters(document: dict[str, Any]) -> None:
    for path, _, described in operations(document):
        named = {p["name"] for p in described["parameters"] if p.get("in") == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def test_limits_of_fields_come_from_the_rules(document: dict[str, Any]) -> None:
    body = schema(document, "CreateApiKeyRequest")
    assert body["required"] == ["name", "scopes"]
    assert "organizationId" not in body["properties"]
    name, scopes = body["properties"]["name"], body["properties"]["scopes"]
    assert (name["minLength"], name["maxLength"]) == (1, 100)
    assert (scopes["minItems"], scopes["maxItems"], scopes["uniqueItems"]) == (1, 50, True)
    assert scopes["items"]["type"] == "string"
    assert "keys:read" in scopes["items"]["enum"]
    assert body["properties"]["expiresAt"]["format"] == "date-time"
    per_minute = schema(document, "ApiKeyLimits")["properties"]["perMinute"]
    assert (per_minute["minimum"], per_minute["maximum"]) == (1, 1_000_000)


def test_what_must_be_sent_is_required(document: dict[str, Any]) -> None:
    register = schema(document, "RegisterRequest")
    assert register["required"] == ["email", "password", "displayName", "acceptedTerms"]
    assert register["properties"]["email"]["format"] == "email"
    # That it must be true is in its description: no generator of Java takes a boolean of one value.
    assert register["properties"]["acceptedTerms"]["type"] == "boolean"
    # An empty slug means "make one"; fields of a change are all optional.
    assert schema(document, "CreateOrganizationRequest")["required"] == ["name"]
    assert "required" not in schema(document, "UpdateApiKeyRequest")


def test_exactly_one_of_a_choice_has_to_be_there(document: dict[str, Any]) -> None:
    hashes = {"hmacSha256", "sha256", "bcrypt"}
    forms = [
        schema(document, form["$ref"].rpartition("/")[2])
        for form in schema(document, "ApiKeyImportInput")["oneOf"]
    ]
    for form in forms:
        [chosen] = hashes & form["properties"].keys()
        assert {chosen, "name", "prefix", "scopes"} == {*form["required"]}
        assert form["properties"][chosen]["type"] == "string"
        assert form["additionalProperties"] is False
    assert {name for form in forms for name in form["properties"]} > hashes


def test_what_is_always_sent_is_required(document: dict[str, Any]) -> None:
    key = schema(document, "ApiKey")
    assert {"id", "status", "createdAt", "updatedAt"} <= {*key["required"]}
    assert {"expiresAt", "revokedAt", "lastUsedAt"}.isdisjoint(key["required"])
    assert "apiKey" in schema(document, "CreateApiKeyResult")["required"]


def test_values_of_a_known_set_are_named_without_bounds_of_their_form(
    document: dict[str, Any],
) -> None:
    assert schema(document, "ApiKey")["properties"]["status"]["enum"] == [
        "active",
        "expired",
        "revoked",
    ]
    fields = [
        (name, field, value.get("items", value))
        for name, each in document["components"]["schemas"].items()
        for field, value in each.get("properties", {}).items()
    ]
    form = {"pattern", "minLength", "maxLength", "format"}
    assert [(name, field) for name, field, one in fields if "enum" in one and form & {*one}] == []


def test_no_schema_has_a_name_that_generators_give_to_their_own(
    document: dict[str, Any],
) -> None:
    assert not [name for name in document["components"]["schemas"] if name.endswith("Response")]


def test_what_the_client_has_already_is_answered_with_304(document: dict[str, Any]) -> None:
    get = document["paths"]["/api/v1/api-keys/{apiKeyId}"]["get"]
    assert get["responses"]["304"] == {"$ref": "#/components/responses/NotModified"}
    assert {"$ref": "#/components/parameters/If-None-Match"} in get["parameters"]


@pytest.mark.parametrize(("length", "fits"), [(0, False), (31, False), (32, True), (33, False)])
def test_bytes_have_their_length_in_base64(
    document: dict[str, Any], length: int, *, fits: bool
) -> None:
    body = schema(document, "ApiKeyImportSha256Input")["properties"]["sha256"]
    sent = base64.b64encode(bytes(range(length))).decode()
    assert (re.fullmatch(body["pattern"], sent) is not None) == fits
    key = schema(document, "ImportApiKeysRequest")["properties"]["hmacKey"]
    assert (key["minLength"], key["maxLength"]) == (2, 256)
    assert re.fullmatch(key["pattern"], sent)


def test_names_that_the_contract_makes_are_listed(
    document: dict[str, Any], contract: Contract
) -> None:
    scopes = schema(document, "CreateApiKeyRequest")["properties"]["scopes"]["items"]["enum"]
    asked_for = {m.permission for m in contract.methods if m.access is AccessRule.PERMISSION}
    assert set(scopes) == asked_for
    events = schema(document, "CreateWebhookRequest")["properties"]["eventTypes"]["items"]["enum"]
    other_names = {"mfa.enabled", "user.login", "user.logout"}
    emitted = {event for m in contract.methods for event in m.emits}
    assert set(events) == {"*", *other_names, *emitted}
    assert "key.revoked" in events


def test_null_in_a_change_clears_what_can_be_cleared(document: dict[str, Any]) -> None:
    change = schema(document, "UpdateMeRequest")["properties"]
    assert change["displayName"]["type"] == "string"
    assert change["bio"]["type"] == ["string", "null"]
    key = schema(document, "UpdateApiKeyRequest")["properties"]
    assert key["expiresAt"]["type"] == ["string", "null"]
    assert (key["scopes"]["type"], key["scopes"]["minItems"]) == ("array", 1)
    assert key["allowedCidrs"]["type"] == ["array", "null"]
    assert "minItems" not in key["allowedCidrs"]


def test_nobody_has_to_write_a_mask(document: dict[str, Any]) -> None:
    assert "updateMask" not in schema(document, "UpdateMeRequest")["properties"]


def test_bodies_have_the_named_fields_and_no_others(document: dict[str, Any]) -> None:
    assert schema(document, "CreateApiKeyRequest")["additionalProperties"] is False
    assert schema(document, "ApiKeyLimitsInput")["additionalProperties"] is False
    assert "additionalProperties" not in schema(document, "ApiKey")


def test_what_replaces_a_resource_says_with_what(document: dict[str, Any]) -> None:
    body = operation(document, "updateOrganizationLimits")["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"]["minProperties"] == 1


def test_null_stands_for_what_may_be_left_out(document: dict[str, Any]) -> None:
    change = schema(document, "UpdateMeRequest")["properties"]
    assert schema(document, "CreateApiKeyRequest")["properties"]["expiresAt"]["type"] == [
        "string",
        "null",
    ]
    assert change["preferences"]["anyOf"] == [
        {"$ref": "#/components/schemas/PreferencesInput"},
        {"type": "null"},
    ]
    theme = schema(document, "PreferencesInput")["properties"]["theme"]
    assert theme["enum"] == ["light", "dark", "system", None]
    assert schema(document, "Preferences")["properties"]["theme"]["type"] == "string"


def test_what_is_always_printed_is_required(document: dict[str, Any]) -> None:
    key = schema(document, "ApiKey")
    assert set(key["required"]) == {
        "id",
        "organizationId",
        "name",
        "prefix",
        "scopes",
        "status",
        "createdBy",
        "allowedCidrs",
        "useCount",
        "projectIds",
        "limits",
        "createdAt",
        "updatedAt",
    }
    assert "required" not in schema(document, "ApiKeyLimits")


def test_the_envelope_is_described(document: dict[str, Any]) -> None:
    answer = operation(document, "listApiKeys")["responses"]["200"]
    body = answer["content"]["application/json"]["schema"]
    assert body["required"] == ["success", "data", "meta"]
    assert body["properties"]["data"]["items"] == {"$ref": "#/components/schemas/ApiKey"}
    assert body["properties"]["meta"] == {"$ref": "#/components/schemas/PageMeta"}
    bare = operation(document, "getJsonWebKeySet")["responses"]["200"]
    assert bare["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/GetJsonWebKeySetResult"
    }


def test_statuses_are_those_of_the_contract(document: dict[str, Any], contract: Contract) -> None:
    for method in contract.routed:
        described = operation(document, method.name[0].lower() + method.name[1:])
        success = [status for status in described["responses"] if status < "300"]
        assert success == [str(method.status)]
        if method.status == 204:
            assert "content" not in described["responses"]["204"]


def test_security_follows_the_access_rule(document: dict[str, Any]) -> None:
    assert operation(document, "login")["security"] == []
    assert operation(document, "getMe")["security"] == [{"accessToken": []}]
    assert operation(document, "listApiKeys")["security"] == [
        {"accessToken": []},
        {"apiKey": []},
        {"oauth2": ["keys:read"]},
    ]
    assert operation(document, "listApiKeys")["x-permission"] == "keys:read"


def test_every_scope_that_a_method_needs_can_be_asked_for(document: dict[str, Any]) -> None:
    flows = document["components"]["securitySchemes"]["oauth2"]["flows"]
    needed = {
        scope
        for path in document["paths"].values()
        for described in path.values()
        for scheme in described["security"]
        for scope in scheme.get("oauth2", [])
    }
    assert needed == flows["clientCredentials"]["scopes"].keys()
    assert needed < flows["authorizationCode"]["scopes"].keys()
    for flow in flows.values():
        assert all(flow["scopes"].values())


def test_challenges_are_described(document: dict[str, Any]) -> None:
    answers = document["components"]["responses"]
    assert {"WWW-Authenticate", "DPoP-Nonce"} <= answers["Unauthorized"]["headers"].keys()
    assert (
        "insufficient_scope" in answers["Forbidden"]["headers"]["WWW-Authenticate"]["description"]
    )


def test_all_errors_have_one_shape(document: dict[str, Any]) -> None:
    answers = document["components"]["responses"]
    for response in (answer for name, answer in answers.items() if name != "NotModified"):
        body = response["content"]["application/json"]["schema"]
        assert body == {"$ref": "#/components/schemas/ErrorEnvelope"}


def test_header_parameters_stand_where_they_apply(
    document: dict[str, Any], contract: Contract
) -> None:
    methods = {method.name[0].lower() + method.name[1:]: method for method in contract.routed}
    for _, verb, described in operations(document):
        names = {p["$ref"].rpartition("/")[2] for p in described["parameters"] if "$ref" in p}
        takes_key = methods[described["operationId"]].idempotency.takes_key
        assert ("Idempotency-Key" in names) == takes_key
        assert ("If-Match" in names) == (verb in {"put", "patch", "delete"})
        assert "X-Request-ID" in names


def test_the_key_of_a_repetition_is_taken_where_it_counts(document: dict[str, Any]) -> None:
    def takes(name: str) -> tuple[bool, bool]:
        described = operation(document, name)
        success = next(s for s in described["responses"] if s < "400")
        parameter = {"$ref": "#/components/parameters/Idempotency-Key"}
        return (
            parameter in described["parameters"],
            "Idempotent-Replayed" in described["responses"][success]["headers"],
        )

    assert takes("revokeSession") == takes("createInvitation") == (True, True)
    assert takes("createApiKey") == takes("rotateWebhookSecret") == (True, False)
    assert takes("login") == takes("refreshToken") == takes("getMe") == (False, False)
    assert takes("logout") == (False, False)


def test_the_product_version_is_told(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == "1.2.3"
    committed = json.loads((ROOT / "generated" / "openapi.json").read_text())
    assert committed["info"]["title"] == document["info"]["title"]


def test_what_is_posted_to_webhooks_is_described(
    document: dict[str, Any], contract: Contract
) -> None:
    assert list(document["webhooks"]) == list(contract.event_types)
    post = document["webhooks"]["key.revoked"]["post"]
    assert post["security"] == []
    headers = {each["$ref"].rpartition("/")[2] for each in post["parameters"]}
    assert headers == {"webhook-id", "webhook-signature", "webhook-timestamp"}
    envelope, own = post["requestBody"]["content"]["application/json"]["schema"]["allOf"]
    assert envelope == {"$ref": "#/components/schemas/WebhookPayload"}
    assert own["properties"] == {
        "type": {"const": "key.revoked"},
        "data": {"$ref": "#/components/schemas/ApiKey"},
    }
    payload = schema(document, "WebhookPayload")
    assert payload["required"] == ["type", "timestamp", "id", "organizationId", "data"]


def test_the_versions_of_events_are_told(contract: Contract) -> None:
    described = build(contract, "1.2.3", {"key.revoked": 7})["webhooks"]
    assert described["key.revoked"]["post"]["x-version"] == 7
