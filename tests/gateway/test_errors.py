"""The one error shape, whoever refuses: the core, the transcoder, Envoy itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from portico.users.v1 import user_service_pb2 as users

from tests.gateway.backends import Backends, Context, refuse
from tests.gateway.gateway import Gateway

ME = "/api/v1/users/me"
USERS = "/api/v1/users"
GET_ME = "/portico.users.v1.UserService/GetMe"
KEYS = "/api/v1/organizations/0195d1a0-0000-7000-8000-000000000001/api-keys"
Code = grpc.StatusCode


def refusal(backends: Backends, code: grpc.StatusCode, message: str, *details: Message) -> None:
    async def behaviour(_request: Any, context: Context) -> Message:
        return await refuse(context, code, message, *details)

    backends.script(GET_ME, behaviour)


def info(reason: str) -> ErrorInfo:
    return ErrorInfo(reason=reason, domain="portico", metadata={"a": "b"})


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (Code.INVALID_ARGUMENT, 422, "VALIDATION_ERROR"),
        (Code.UNAUTHENTICATED, 401, "UNAUTHENTICATED"),
        (Code.PERMISSION_DENIED, 403, "PERMISSION_DENIED"),
        (Code.NOT_FOUND, 404, "NOT_FOUND"),
        (Code.ALREADY_EXISTS, 409, "ALREADY_EXISTS"),
        (Code.FAILED_PRECONDITION, 409, "FAILED_PRECONDITION"),
        (Code.ABORTED, 409, "ABORTED"),
        (Code.RESOURCE_EXHAUSTED, 429, "RATE_LIMIT_EXCEEDED"),
        (Code.OUT_OF_RANGE, 422, "OUT_OF_RANGE"),
        (Code.UNIMPLEMENTED, 501, "UNIMPLEMENTED"),
        (Code.UNAVAILABLE, 503, "UNAVAILABLE"),
        (Code.DEADLINE_EXCEEDED, 504, "TIMEOUT"),
        (Code.CANCELLED, 499, "CANCELLED"),
    ],
)
async def test_each_grpc_status_has_its_http_status(
    gateway: Gateway, backends: Backends, token: str, code: Code, status: int, reason: str
) -> None:
    refusal(backends, code, "The reason.")
    answer = await gateway.get(ME, token=token)
    assert answer.status == status
    assert answer.error["code"] == reason
    assert answer.error["message"] == "The reason."
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_the_reason_of_the_core_is_the_code(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    refusal(backends, Code.ALREADY_EXISTS, 'The slug "é😀" is\ntaken.', info("SLUG_TAKEN"))
    answer = await gateway.get(ME, token=token)
    assert answer.status == 409
    assert answer.error["code"] == "SLUG_TAKEN"
    assert answer.error["message"] == 'The slug "é😀" is\ntaken.'


async def test_a_lost_race_for_an_etag_is_412(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    refusal(backends, Code.ABORTED, "Changed.", info("ETAG_MISMATCH"))
    assert (await gateway.get(ME, token=token)).status == 412


@pytest.mark.parametrize("code", [Code.INTERNAL, Code.UNKNOWN, Code.DATA_LOSS])
async def test_nothing_from_inside_leaks(
    gateway: Gateway, backends: Backends, token: str, code: Code
) -> None:
    refusal(backends, code, "password=hunter2 at line 7", info("SECRET_REASON"))
    answer = await gateway.get(ME, token=token)
    assert answer.status == 500
    assert answer.error["code"] == "INTERNAL"
    assert b"hunter2" not in answer.body
    assert b"SECRET_REASON" not in answer.body


async def test_field_violations_are_details_in_camel_case(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    names = ["display_name", "limits.per_minute", "scopes[0]"]
    violations = [
        BadRequest.FieldViolation(field=name, reason="TOO_SHORT", description="Too short.")
        for name in names
    ]
    refusal(backends, Code.INVALID_ARGUMENT, "Not valid.", BadRequest(field_violations=violations))
    details = (await gateway.get(ME, token=token)).error["details"]
    assert [detail["field"] for detail in details] == [
        "displayName",
        "limits.perMinute",
        "scopes[0]",
    ]
    assert {detail["code"] for detail in details} == {"TOO_SHORT"}


async def test_retry_info_is_a_header(gateway: Gateway, backends: Backends, token: str) -> None:
    delay = RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000))
    refusal(backends, Code.RESOURCE_EXHAUSTED, "Slowly.", delay)
    answer = await gateway.get(ME, token=token)
    assert answer.headers["retry-after"] == "3"


@pytest.mark.parametrize(
    "body", [b'{"email":', b"{} {}", b'{"email":"\xff"}', b"not json", b'{"email":"a"]']
)
async def test_malformed_json_is_400(gateway: Gateway, token: str, body: bytes) -> None:
    answer = await gateway.call("POST", USERS, token=token, data=body)
    assert answer.status == 400
    assert answer.error["code"] == "MALFORMED_REQUEST"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (USERS, {"email": {}}, "email"),
        (USERS, {"displayName": 5}, "displayName"),
        (USERS, {"displayName": True}, "displayName"),
        (KEYS, {"limits": {"perMinute": "many"}}, "limits.perMinute"),
        (KEYS, {"limits": 5}, "limits"),
        (KEYS, {"scopes": [{}]}, "scopes[0]"),
        (KEYS, {"scopes": ["a", 1]}, "scopes[1]"),
        (USERS, {"email": ["a"]}, "email"),
        (KEYS, {"expiresAt": "tomorrow"}, "expiresAt"),
    ],
)
async def test_a_wrong_type_is_422_and_names_the_field(
    gateway: Gateway, token: str, path: str, body: Any, field: str
) -> None:
    answer = await gateway.call("POST", path, token=token, json=body)
    assert answer.status == 422
    assert answer.error["code"] == "VALIDATION_ERROR"
    [detail] = answer.error["details"]
    assert detail["field"] == field
    assert detail["code"] == "INVALID_TYPE"


async def test_an_unknown_query_parameter_is_422(gateway: Gateway, token: str) -> None:
    answer = await gateway.get(f"{USERS}?colour=red", token=token)
    assert answer.status == 422
    [detail] = answer.error["details"]
    assert (detail["field"], detail["code"]) == ("colour", "UNKNOWN_PARAMETER")


async def test_a_wrong_type_in_the_query_is_422(gateway: Gateway, token: str) -> None:
    for query in ("limit=many", "limit=1&limit=2", "limit="):
        answer = await gateway.get(f"{USERS}?{query}", token=token)
        assert answer.status == 422
        assert [detail["field"] for detail in answer.error["details"]] == ["limit"]


@pytest.mark.parametrize("path", ["/nope", "/api/v1/nope", "/api/v2/users"])
async def test_an_unknown_path_is_404(gateway: Gateway, path: str) -> None:
    answer = await gateway.get(path)
    assert answer.status == 404
    assert answer.error["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("verb", "path", "allow"),
    [
        ("PUT", ME, "GET, HEAD, OPTIONS, PATCH"),
        ("DELETE", ME, "GET, HEAD, OPTIONS, PATCH"),
        ("DELETE", f"{ME}/", "GET, HEAD, OPTIONS, PATCH"),
        ("PROPFIND", ME, "GET, HEAD, OPTIONS, PATCH"),
        ("DELETE", USERS, "GET, HEAD, OPTIONS, POST"),
        ("GET", "/api/v1/auth/login", "OPTIONS, POST"),
        ("DELETE", "/api/v1/invitations/accept", "OPTIONS, POST"),
        ("GET", "/api/v1/invitations/1", "DELETE, OPTIONS"),
        ("POST", "/api/v1/openapi.json", "GET, HEAD, OPTIONS"),
        ("POST", "/.well-known/jwks.json", "GET, HEAD, OPTIONS"),
        ("HEAD", "/api/v1/auth/login", "OPTIONS, POST"),
    ],
)
async def test_a_wrong_verb_is_405_and_says_which_are_right(
    gateway: Gateway, verb: str, path: str, allow: str
) -> None:
    answer = await gateway.call(verb, path)
    assert answer.status == 405
    assert answer.headers["allow"] == allow
    if verb != "HEAD":
        assert answer.error["code"] == "METHOD_NOT_ALLOWED"


async def test_query_is_405_once_it_is_well_formed(gateway: Gateway) -> None:
    # Without a content type it is malformed, and Envoy says so before any route is looked at.
    assert (await gateway.call("QUERY", ME)).error["code"] == "MALFORMED_REQUEST"
    answer = await gateway.call("QUERY", ME, headers={"Content-Type": "application/json"})
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, PATCH"


async def test_a_large_body_is_413(gateway: Gateway, backends: Backends, token: str) -> None:
    # Exact to the chunk in which a body arrives, not to the byte.
    body = b'{"email":"' + b"a" * (1024 + 64) * 1024 + b'"}'
    answer = await gateway.call("POST", USERS, token=token, data=body)
    assert answer.status == 413
    assert answer.error["code"] == "PAYLOAD_TOO_LARGE"
    assert backends.calls == []


async def test_a_body_just_below_the_limit_arrives(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    body = b'{"email":"' + b"a" * (1024 * 1024 - 100) + b'"}'
    answer = await gateway.call("POST", USERS, token=token, data=body)
    assert answer.status == 201
    assert len(backends.calls[0].request.email) == 1024 * 1024 - 100


async def test_large_headers_are_431(gateway: Gateway) -> None:
    answer = await gateway.get(ME, headers={"x-large": "a" * 40_000})
    assert answer.status == 431
    assert answer.error["code"] == "HEADERS_TOO_LARGE"


@pytest.mark.parametrize("path", [f"{USERS}/a%2Fb", f"{USERS}/a%5Cb"])
async def test_an_escaped_slash_is_refused(gateway: Gateway, token: str, path: str) -> None:
    answer = await gateway.get(path, token=token)
    assert answer.status == 400
    assert answer.error["code"] == "MALFORMED_REQUEST"


@pytest.mark.parametrize("escaped", ["%FF", "%C3", "%ED%A0%80", "%C0%AF", "%F5%80%80%80"])
async def test_a_path_that_is_not_utf8_is_refused(
    gateway: Gateway, backends: Backends, token: str, escaped: str
) -> None:
    for path in (f"{USERS}/{escaped}", f"{USERS}?search={escaped}"):
        answer = await gateway.get(path, token=token)
        assert answer.status == 400
        assert answer.error["code"] == "MALFORMED_REQUEST"
    assert backends.calls == []


@pytest.mark.parametrize("text", ["é", "€", "😀", "a b+c", "/?&=#%"])
async def test_every_text_can_be_asked_for(
    gateway: Gateway, backends: Backends, token: str, text: str
) -> None:
    assert (await gateway.get(f"{USERS}?search={quote(text, safe='')}", token=token)).status == 200
    assert backends.calls[0].request.search == text


async def test_a_path_has_one_spelling(gateway: Gateway, backends: Backends, token: str) -> None:
    await gateway.get("/api/v1/../v1//users/./me", token=token)
    assert [call.path for call in backends.calls] == [GET_ME]


async def test_a_slow_core_is_504_within_the_timeout(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    async def never(_request: Any, _context: Context) -> Message:
        await asyncio.sleep(60)
        return users.GetMeResponse()

    backends.script(GET_ME, never)
    async with asyncio.timeout(5):
        answer = await gateway.get(ME, token=token)
    assert answer.status == 504
    assert answer.error["code"] == "TIMEOUT"


async def test_the_core_is_told_the_deadline(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    left: list[float] = []

    async def note(_request: Any, context: Context) -> Message:
        left.append(context.time_remaining())
        return users.GetMeResponse()

    backends.script(GET_ME, note)
    await gateway.get(ME, token=token)
    assert 0 < left[0] <= 1


async def test_reads_are_tried_twice_and_writes_once(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    async def unavailable(_request: Any, context: Context) -> Message:
        return await refuse(context, Code.UNAVAILABLE, "Not now.")

    backends.script(GET_ME, unavailable)
    backends.script("/portico.users.v1.UserService/UpdateMe", unavailable)
    assert (await gateway.get(ME, token=token)).status == 503
    assert (await gateway.call("PATCH", ME, token=token, json={})).status == 503
    assert [call.path.rpartition("/")[2] for call in backends.calls] == [
        "GetMe",
        "GetMe",
        "UpdateMe",
    ]


@pytest.mark.parametrize(
    "request_line",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\n\r\n",
        b"GET /api/v1/\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nX-Request-ID:\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_hardly_http_still_gets_the_one_shape(
    gateway: Gateway, request_line: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.rest_port)
    writer.write(request_line)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    rows = dict(row.split(b": ", 1) for row in head.lower().split(b"\r\n")[1:] if row)
    body = json.loads(await reader.readexactly(int(rows[b"content-length"])))
    writer.close()
    assert status in {400, 404}
    assert set(body["error"]) == {"code", "message", "details", "requestId"}
    assert body["error"]["requestId"]
