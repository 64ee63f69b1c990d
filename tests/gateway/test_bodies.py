"""What a request says is understood, or refused: through Envoy, whoever sends it."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.keys.v1.api_key_pb2 import ApiKeyLimits

from edge.gateway.paths import variables
from portico_contract import CONTRACT_FILE, Method, load
from tests.gateway.backends import GOOD_KEY, Backends
from tests.gateway.gateway import Gateway
from tests.support.cells import Cells
from tests.support.http import HttpResponse

ID = "0195d1a0-0000-7000-8000-000000000001"
KEYS = f"/api/v1/organizations/{ID}/api-keys"
KEY = f"/api/v1/api-keys/{ID}"
LIMITS = f"/api/v1/organizations/{ID}/limits"
USERS = "/api/v1/users"
ME = "/api/v1/users/me"
LOGIN = "/api/v1/auth/login"
WEBHOOK = f"/api/v1/webhooks/{ID}"

CONTRACT = load(CONTRACT_FILE)
WRITES = [m for m in CONTRACT.routed if m.rest is not None and m.rest.has_body]
READS = [m for m in CONTRACT.routed if m.rest is not None and not m.rest.has_body]
# Names that are words of a path somewhere: none may lead the check to another method.
STRANGE_IDS = ("me", "import", "accept", "v1", "a:b", "a.b", "%6De", "x" * 300, "~")


def paths(method: Method, value: str) -> str:
    assert method.rest is not None
    path = method.rest.template
    for name in variables(path):
        path = path.replace(f"{{{name}}}", value)
    return path


def details(answer: HttpResponse) -> dict[str, str]:
    return {detail["field"]: detail["code"] for detail in answer.error["details"]}


async def test_no_method_passes_over_an_unknown_field(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    cells = Cells()
    body: Any = {"allowedCidr": [], "x": {"deep": 1}}
    for method in WRITES:
        assert method.rest is not None
        for value in (ID, *STRANGE_IDS):
            for slash in ("", "/"):
                path = paths(method, value) + slash
                with cells.cell(method.name, path):
                    answer = await gateway.call(method.rest.verb, path, token=token, json=body)
                    # Where a literal path takes its place, the verb may be none there.
                    assert answer.status in {422, 405}
                    if answer.status == 422:
                        unknown = {"allowedCidr": "UNKNOWN_FIELD", "x": "UNKNOWN_FIELD"}
                        assert details(answer) == unknown
                    assert backends.calls == []
    cells.hold()


async def test_no_method_with_a_body_takes_a_query(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    cells = Cells()
    for method in WRITES:
        assert method.rest is not None
        for name in (*(field.name for field in method.input.fields), "colour"):
            with cells.cell(method.name, name):
                path = f"{paths(method, ID)}?{name}=do-not-show"
                answer = await gateway.call(method.rest.verb, path, token=token, json={})
                assert answer.status == 422
                assert details(answer) == {name: "UNKNOWN_PARAMETER"}
                assert b"do-not-show" not in answer.body
                assert backends.calls == []
    cells.hold()


async def test_no_path_variable_is_taken_from_the_query(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    cells = Cells()
    for method in READS:
        assert method.rest is not None
        for name in variables(method.rest.template):
            camel = method.input.fields_by_name[name].json_name
            for spelling in (name, camel, f"%{ord(camel[0]):02x}{camel[1:]}"):
                with cells.cell(method.name, spelling):
                    path = f"{paths(method, ID)}?{spelling}={ID}"
                    answer = await gateway.call(method.rest.verb, path, token=token)
                    assert answer.status == 422
                    assert set(details(answer).values()) == {"UNKNOWN_PARAMETER"}
                    assert backends.calls == []
    cells.hold()


async def test_a_password_in_the_query_signs_nobody_in(
    gateway: Gateway, backends: Backends
) -> None:
    bodies: tuple[Any, ...] = (None, {})
    for body in bodies:
        answer = await gateway.call("POST", f"{LOGIN}?email=a@b.c&password=hunter2", json=body)
        assert answer.status == 422
        assert details(answer) == {"email": "UNKNOWN_PARAMETER", "password": "UNKNOWN_PARAMETER"}
        assert b"hunter2" not in answer.body
    assert backends.calls == []


async def test_a_parameter_is_given_once(gateway: Gateway, backends: Backends, token: str) -> None:
    for query in ("search=a&search=b", "limit=1&l%69mit=1"):
        answer = await gateway.get(f"{USERS}?{query}", token=token)
        assert answer.status == 422
        assert "REPEATED_PARAMETER" in details(answer).values()
    assert backends.calls == []


@pytest.mark.parametrize("query", ["?", "?&&", "?limit=5&", "?search="])
async def test_a_query_may_be_empty(gateway: Gateway, token: str, query: str) -> None:
    assert (await gateway.get(f"{USERS}{query}", token=token)).status == 200


@pytest.mark.parametrize("query", ["?=x", "?%00=x", "?%C3%A9=x", "?a%22b=1", "?" + "n" * 500])
async def test_a_strange_parameter_is_named_as_it_was_sent(
    gateway: Gateway, token: str, query: str
) -> None:
    answer = await gateway.get(f"{USERS}{query}", token=token)
    assert answer.status == 422
    [field] = details(answer)
    assert 0 < len(field) <= 100


async def test_one_letter_wrong_makes_no_unrestricted_key(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    body = {"name": "x", "scopes": ["keys:read"], "allowedCidr": ["192.0.2.0/24"], "expireAt": ""}
    answer = await gateway.call("POST", KEYS, token=token, json=body)
    assert answer.status == 422
    assert set(details(answer)) == {"allowedCidr", "expireAt"}
    assert backends.calls == []


async def test_yes_is_no_consent(gateway: Gateway, backends: Backends) -> None:
    path = "/api/v1/auth/register"
    for value in ("yes", "true", 1, "1", [True]):
        answer = await gateway.call("POST", path, json={"acceptedTerms": value})
        assert details(answer) == {"acceptedTerms": "INVALID_TYPE"}
    assert backends.calls == []


async def test_text_is_no_list(gateway: Gateway, token: str) -> None:
    answer = await gateway.call("POST", KEYS, token=token, json={"scopes": "keys:read"})
    assert details(answer) == {"scopes": "INVALID_TYPE"}


async def test_a_body_that_is_no_object_is_422(gateway: Gateway, token: str) -> None:
    bodies: tuple[Any, ...] = ([], "text", 5, True)
    for body in bodies:
        answer = await gateway.call("POST", USERS, token=token, json=body)
        assert answer.status == 422
        assert answer.error["details"] == []
        assert "object" in answer.error["message"]


async def test_what_is_no_json_is_400_and_says_where(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    for body in (
        b'{"name":"x",}',
        b"{'name':'x'}",
        b'{name:"x"}',
        b'{"name":"a\nb"}',
        b'{"a":1,"a":2}',
    ):
        answer = await gateway.call("POST", KEYS, token=token, data=body)
        assert answer.status == 400
        assert answer.error["code"] == "MALFORMED_REQUEST"
        assert "(byte " in answer.error["message"]
    assert backends.calls == []


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json ; charset=utf-8",
    ],
)
async def test_json_in_utf8_is_taken(gateway: Gateway, token: str, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    answer = await gateway.call("PATCH", KEY, token=token, data=b"{}", headers=headers)
    assert answer.status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "application/merge-patch+json",
        "application/vnd.api+json",
        "application/jsonp",
        "application/json; charset=latin1",
        "application/json, text/plain",
        "json",
    ],
)
async def test_what_is_not_application_json_is_415(
    gateway: Gateway, backends: Backends, token: str, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    answer = await gateway.call("POST", KEYS, token=token, data=b'{"name":"x"}', headers=headers)
    assert answer.status == 415
    assert answer.error["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert answer.headers["accept"] == "application/json"
    answer = await gateway.call("PATCH", KEY, token=token, data=b"{}", headers=headers)
    assert answer.status == 415
    assert answer.headers["accept-patch"] == "application/json"
    assert backends.calls == []


async def test_a_body_without_a_type_is_415(gateway: Gateway, token: str) -> None:
    head = f"POST {KEYS} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
    for frame in (
        "Content-Length: 2\r\n\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ):
        assert raw_status(gateway, head + frame) == 415


@pytest.mark.parametrize(
    "encoding", ["gzip", "br", "deflate", "zstd", "x-unknown", "gzip, identity"]
)
async def test_an_encoded_body_is_415_and_says_what_is_taken(
    gateway: Gateway, backends: Backends, token: str, encoding: str
) -> None:
    headers = {"Content-Encoding": encoding}
    answer = await gateway.call("POST", KEYS, token=token, data=b"{}", headers=headers)
    assert answer.status == 415
    assert answer.headers["accept-encoding"] == "identity"
    assert backends.calls == []


async def test_an_encoding_that_changes_nothing_is_taken(gateway: Gateway, token: str) -> None:
    headers = {"Content-Encoding": "identity"}
    answer = await gateway.call("PATCH", KEY, token=token, data=b"{}", headers=headers)
    assert answer.status == 200


async def test_where_there_is_no_body_its_type_does_not_matter(
    gateway: Gateway, token: str
) -> None:
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Length": "0"}):
        answer = await gateway.call("POST", f"{KEY}/revoke", token=token, headers=headers)
        assert answer.status == 200


async def test_a_body_where_the_method_takes_none_is_400(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    for verb, path in (("GET", ME), ("DELETE", WEBHOOK)):
        answer = await gateway.call(verb, path, token=token, json={"reason": "x"})
        assert answer.status == 400
        assert answer.error["code"] == "MALFORMED_REQUEST"
    assert backends.calls == []
    answer = await gateway.call("DELETE", WEBHOOK, token=token, headers={"Content-Length": "0"})
    assert answer.status == 204


@pytest.mark.parametrize(("verb", "path"), [("PUT", LIMITS), ("PATCH", KEY), ("POST", KEYS)])
async def test_a_method_that_needs_a_body_says_so(
    gateway: Gateway, backends: Backends, token: str, verb: str, path: str
) -> None:
    answer = await gateway.call(verb, path, token=token)
    assert answer.status == 422
    assert answer.error["code"] == "BODY_REQUIRED"
    assert backends.calls == []


async def test_a_put_that_names_nothing_resets_nothing(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    answer = await gateway.call("PUT", LIMITS, token=token, json={})
    assert (answer.status, answer.error["code"]) == (422, "BODY_REQUIRED")
    answer = await gateway.call("PUT", LIMITS, token=token, json={"multiplyerPercent": 5})
    assert details(answer) == {"multiplyerPercent": "UNKNOWN_FIELD"}
    assert backends.calls == []
    assert (await gateway.call("PUT", LIMITS, token=token, json={"read": None})).status == 200


async def test_the_names_in_a_patch_are_its_mask(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    body = '{ "name":"x", "expiresAt" : null, "allowedCidrs":[], "limits":{"perDay":1} } '
    answer = await gateway.call("PATCH", KEY, token=token, data=body.encode())
    assert answer.status == 200
    [call] = backends.calls
    assert call.request == keys.UpdateApiKeyRequest(
        api_key_id=ID,
        name="x",
        limits=ApiKeyLimits(per_day=1),
        update_mask=FieldMask(paths=["allowed_cidrs", "expires_at", "limits", "name"]),
    )


async def test_the_mask_reaches_into_what_is_merged(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    body = {"preferences": {"theme": None, "notifications": {"email": True}}}
    assert (await gateway.call("PATCH", ME, token=token, json=body)).status == 200
    [call] = backends.calls
    assert list(call.request.update_mask.paths) == [
        "preferences.notifications.email",
        "preferences.theme",
    ]


async def test_an_empty_patch_has_no_mask(gateway: Gateway, backends: Backends, token: str) -> None:
    assert (await gateway.call("PATCH", KEY, token=token, json={})).status == 200
    [call] = backends.calls
    assert not call.request.HasField("update_mask")


async def test_nobody_writes_the_mask_themselves(gateway: Gateway, token: str) -> None:
    answer = await gateway.call("PATCH", KEY, token=token, json={"updateMask": "name"})
    assert details(answer) == {"updateMask": "UNKNOWN_FIELD"}
    answer = await gateway.call("PATCH", f"{KEY}?updateMask=name", token=token, json={})
    assert details(answer) == {"updateMask": "UNKNOWN_PARAMETER"}


async def test_who_has_no_credential_hears_of_that_first(
    gateway: Gateway, backends: Backends
) -> None:
    for body in (b'{"a":', b"{}", b"", b'{"unknown":1}'):
        for query in ("", "?colour=red"):
            answer = await gateway.call("POST", f"{USERS}{query}", data=body)
            assert answer.status == 401
    assert backends.calls == []


async def test_an_api_key_is_a_credential(gateway: Gateway, backends: Backends) -> None:
    for headers in ({"X-API-Key": GOOD_KEY}, {"Authorization": f"Bearer {GOOD_KEY}"}):
        answer = await gateway.call("POST", KEYS, headers=headers, json={"nam": "x"})
        assert details(answer) == {"nam": "UNKNOWN_FIELD"}
    assert backends.calls == []


async def test_an_unknown_path_and_a_wrong_verb_come_before_the_body(
    gateway: Gateway, token: str
) -> None:
    bad: dict[str, Any] = {
        "data": b'{"a":',
        "headers": {"Content-Type": "text/plain"},
        "token": token,
    }
    assert (await gateway.call("POST", "/api/v1/nope", **bad)).status == 404
    answer = await gateway.call("PUT", KEY, **bad)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PATCH")


async def test_a_body_that_says_how_large_it_is_is_not_waited_for(
    gateway: Gateway, token: str
) -> None:
    head = f"POST {USERS} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 1048577\r\n\r\n"
    assert raw_status(gateway, head) == 413


async def test_grpc_says_what_it_means_by_numbers(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    path = "/portico.keys.v1.ApiKeyService/UpdateApiKey"
    request = keys.UpdateApiKeyRequest(api_key_id=ID, name="x")
    await gateway.native(path, request, keys.UpdateApiKeyResponse, token=token)
    assert (await gateway.web(path, request, token=token)).grpc_status == 0
    assert [call.request for call in backends.calls] == [request, request]


async def test_each_known_field_is_taken(gateway: Gateway, backends: Backends, token: str) -> None:
    cells = Cells()
    for method in WRITES:
        with cells.cell(method.name):
            assert method.rest is not None
            backends.calls.clear()
            body = {
                field.json_name: sample(field)
                for field in method.input.fields
                if field.name not in variables(method.rest.template) and field.name != "update_mask"
            }
            path = paths(method, ID)
            answer = await gateway.call(method.rest.verb, path, token=token, json=body or None)
            assert answer.status == method.status, answer.body
            [call] = backends.calls
            assert {field.json_name for field, _ in call.request.ListFields()} >= body.keys()
    cells.hold()


def sample(field: Any) -> Any:
    """A value of the field's type that is not its zero value."""
    message = field.message_type
    if message is not None and message.full_name == "google.protobuf.Timestamp":
        value: Any = "2030-01-01T00:00:00Z"
    elif message is not None:
        value = {inner.json_name: sample(inner) for inner in one_of_each(message)}
    else:
        value = {field.TYPE_STRING: "x", field.TYPE_BOOL: True, field.TYPE_BYTES: "QQ=="}.get(
            field.type, 1
        )
    return [value] if field.is_repeated else value


def one_of_each(message: Any) -> list[Any]:
    """The fields of a message, with one of each oneof."""
    chosen = {oneof.name: oneof.fields[0].name for oneof in message.oneofs}
    return [
        field
        for field in message.fields
        if field.containing_oneof is None or chosen[field.containing_oneof.name] == field.name
    ]


def raw_status(gateway: Gateway, request: str) -> int:
    """The status of the answer to what is sent as it is."""
    with socket.create_connection(("127.0.0.1", gateway.settings.rest_port), 5) as connection:
        connection.sendall(request.encode())
        return int(connection.recv(4096).split(b" ")[1])
