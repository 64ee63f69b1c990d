"""What RFC 9110 (semantics) and RFC 9112 (HTTP/1) demand of our answers, section by section."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from portico.users.v1 import user_service_pb2 as users
from portico.users.v1.user_pb2 import User

from edge.gateway.headers import MAX_HEADERS, MAX_HEADERS_BYTES
from tests.gateway.backends import GOOD_KEY, Backends, Context
from tests.gateway.gateway import Gateway
from tests.gateway.raw import Connection, RawAnswer, ask, request

ME = "/api/v1/users/me"
USERS = "/api/v1/users"
HEALTH = "/api/v1/health"
LOGIN = "/api/v1/auth/login"
OPENAPI = "/api/v1/openapi.json"
GET_ME = "/portico.users.v1.UserService/GetMe"
JSON = "Content-Type: application/json"


@pytest.fixture
async def connection(gateway: Gateway) -> AsyncIterator[Connection]:
    """A connection to the gateway."""
    opened = await Connection.open(gateway.settings.rest_port)
    yield opened
    opened.close()


async def answer_to(gateway: Gateway, data: bytes, verb: str = "GET") -> RawAnswer:
    return await ask(gateway.settings.rest_port, data, verb)


# What is no valid request, or asks for what is not here: (section, what, bytes, status).
REFUSED: list[tuple[str, str, bytes, int]] = [
    ("9112 2.2", "a NUL in a field", request("GET", HEALTH, "X-A: b\0c"), 400),
    ("9112 2.3", "no request at all", b"GARBAGE\r\n\r\n", 400),
    ("9112 3.2", "no Host", b"GET /api/v1/health HTTP/1.1\r\n\r\n", 400),
    ("9112 3.2", "two Hosts", request("GET", HEALTH, "Host: a", "Host: b"), 400),
    ("9112 3.2", "the same Host twice", request("GET", HEALTH, "Host: a", "Host: a"), 400),
    ("9112 3.2", "a Host with a space", request("GET", HEALTH, "Host: a b"), 400),
    ("9112 3.2", "a Host with a path", request("GET", HEALTH, "Host: a/b"), 400),
    ("9112 3", "a target of 17 KiB", request("GET", f"{HEALTH}?{'a' * 17 * 1024}"), 414),
    ("9112 3.2", "a fragment", request("GET", f"{HEALTH}#a"), 400),
    ("9110 7.4", "https where there is no TLS", request("GET", f"https://a{HEALTH}"), 421),
    ("9110 4.2", "a scheme that is not ours", request("GET", f"ftp://a{HEALTH}"), 400),
    ("9112 5.1", "a space before the colon", request("GET", HEALTH, "X-A : b"), 400),
    ("9110 5.1", "a field without a name", request("GET", HEALTH, ": b"), 400),
    ("9112 6.1", "a coding that is not known", request("POST", LOGIN, "Transfer-Encoding: x"), 501),
    (
        "9112 6.1",
        "a length beside chunks",
        request(
            "POST", LOGIN, "Content-Length: 2", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"
        ),
        400,
    ),
    (
        "9112 6.3",
        "two lengths",
        request("POST", LOGIN, "Content-Length: 2", "Content-Length: 3", body=b"{}"),
        400,
    ),
    ("9110 8.6", "a signed length", request("POST", LOGIN, "Content-Length: +2", body=b"{}"), 400),
    ("9110 8.6", "a negative length", request("POST", LOGIN, "Content-Length: -1"), 400),
    ("9110 8.6", "an endless length", request("POST", LOGIN, f"Content-Length: {'9' * 30}"), 400),
    (
        "9112 7.1",
        "a chunk without a size",
        request("POST", LOGIN, "Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"),
        400,
    ),
    ("9110 9.1", "a verb that nobody knows", request("FROB", ME), 405),
    ("9110 9.1", "a verb in lower case", request("get", ME), 405),
    ("9110 9.3.6", "CONNECT", b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 404),
    ("9110 9.3.8", "TRACE", request("TRACE", ME), 405),
    ("9110 9.3.7", "OPTIONS of what is not there", request("OPTIONS", "/api/v1/nope"), 404),
]


@pytest.mark.parametrize(
    ("section", "what", "data", "status"), REFUSED, ids=[f"{row[0]}: {row[1]}" for row in REFUSED]
)
async def test_what_breaks_a_rule_is_refused_in_the_one_shape(
    gateway: Gateway, backends: Backends, section: str, what: str, data: bytes, status: int
) -> None:
    answer = await answer_to(gateway, data)
    assert answer.status == status
    assert answer.error["code"]
    assert answer.get("date")
    assert answer.get("content-length") == str(len(answer.body))
    assert backends.calls == []


# What is unusual and still a request: (section, what, bytes).
TAKEN: list[tuple[str, str, bytes]] = [
    ("9112 2.2", "an empty line before it", b"\r\n" + request("GET", HEALTH)),
    ("9112 2.2", "lines that end in LF alone", b"GET /api/v1/health HTTP/1.1\nHost: a\n\n"),
    ("9112 3.2.2", "the absolute form", request("GET", f"http://b{HEALTH}")),
    ("9112 3.2", "an empty Host", request("GET", HEALTH, "Host:")),
    ("9110 5.5", "spaces around a value", request("GET", HEALTH, "X-A:   b  ")),
    (
        "9110 7.8",
        "an offer of HTTP/2",
        request("GET", HEALTH, "Upgrade: h2c", "Connection: Upgrade"),
    ),
    ("9110 10.1.1", "an expectation that nobody knows", request("GET", HEALTH, "Expect: tea")),
    ("9110 12.5.1", "a type that we do not have", request("GET", HEALTH, "Accept: text/xml")),
    ("9110 13.1.3", "a date to compare with", request("GET", HEALTH, "If-Modified-Since: today")),
    ("9110 14.2", "a range", request("GET", HEALTH, "Range: bytes=0-1", 'If-Range: "1"')),
]


@pytest.mark.parametrize(
    ("section", "what", "data"), TAKEN, ids=[f"{row[0]}: {row[1]}" for row in TAKEN]
)
async def test_what_is_allowed_is_answered_in_full(
    gateway: Gateway, backends: Backends, section: str, what: str, data: bytes
) -> None:
    answer = await answer_to(gateway, data)
    assert answer.status == 200
    assert answer.get("content-length") == str(len(answer.body))
    assert len(backends.calls) == 1


async def test_a_folded_line_is_one_value(gateway: Gateway, backends: Backends) -> None:
    """9112 5.2: to be refused, or the fold to be replaced by spaces."""
    answer = await answer_to(gateway, request("GET", HEALTH, "X-Folded: b\r\n c"))
    assert answer.status == 200
    assert backends.calls[0].metadata["x-folded"].split() == ["b", "c"]


async def test_a_bare_cr_goes_no_further(gateway: Gateway, backends: Backends) -> None:
    """9112 2.2: to be refused or replaced by a space; Envoy leaves it out."""
    answer = await answer_to(gateway, request("GET", HEALTH, "X-Broken: b\rX-Admin: 1"))
    assert answer.status == 200
    assert backends.calls[0].metadata["x-broken"] == "bX-Admin: 1"
    assert "x-admin" not in backends.calls[0].metadata


# Methods: 9110 section 9 ----------------------------------------------------------------------

SAME_IN_BOTH = ("date", "x-request-id")


async def both(gateway: Gateway, path: str, *rows: str) -> tuple[RawAnswer, RawAnswer]:
    """The answers to GET and to HEAD."""
    got = await answer_to(gateway, request("GET", path, *rows))
    return got, await answer_to(gateway, request("HEAD", path, *rows), "HEAD")


def shown(answer: RawAnswer) -> list[tuple[str, str]]:
    return sorted(field for field in answer.fields if field[0] not in SAME_IN_BOTH)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("path", [ME, HEALTH, "/.well-known/jwks.json/", USERS])
async def test_head_says_what_get_says_without_the_body(
    gateway: Gateway, backends: Backends, token: str, path: str, encoding: str
) -> None:
    """9110 9.3.2 and 8.6."""
    backends.script(GET_ME, users.GetMeResponse(user=User(bio="b" * 2000)))
    rows = (f"Authorization: Bearer {token}", f"Accept-Encoding: {encoding}", "X-Request-ID: a")
    got, head = await both(gateway, path, *rows)
    assert head.line == got.line == "HTTP/1.1 200 OK"
    assert shown(head) == shown(got)


async def test_head_of_a_condition_that_holds_is_304(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    backends.script(GET_ME, not_modified)
    got, head = await both(gateway, ME, f"Authorization: Bearer {token}", "X-Request-ID: a")
    assert head.status == 304
    assert shown(head) == shown(got)


async def test_head_of_the_openapi_document_never_says_another_length(gateway: Gateway) -> None:
    got, head = await both(gateway, OPENAPI)
    assert head.get("content-length") == got.get("content-length")
    _, head = await both(gateway, OPENAPI, "Accept-Encoding: gzip")
    assert head.get("content-length") is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (ME, 401),
        ("/api/v1/nope", 404),
        ("/nope", 404),
        (f"{USERS}?colour=red", 422),
        (f"{USERS}?limit=many", 422),
        (f"{USERS}?search=%FF", 400),
        (LOGIN, 405),
    ],
)
async def test_head_is_refused_as_get_is_without_the_body(
    gateway: Gateway, token: str, path: str, status: int
) -> None:
    rows = () if path == ME else (f"Authorization: Bearer {token}",)
    got, head = await both(gateway, path, *rows)
    assert (got.status, head.status) == (status, status)
    assert head.get("allow") == got.get("allow")
    assert head.get("content-length") in {None, got.get("content-length")}


async def test_after_head_the_connection_goes_on(connection: Connection, token: str) -> None:
    """9112 6.3: an answer to HEAD ends with its header fields."""
    head = request("HEAD", ME, f"Authorization: Bearer {token}", "Accept-Encoding: gzip")
    connection.send(head + request("GET", HEALTH))
    assert (await connection.answer("HEAD")).status == 200
    assert (await connection.answer()).status == 200
    assert await connection.is_open()


async def test_head_is_charged_as_get_is(gateway: Gateway, backends: Backends, token: str) -> None:
    got, head = await both(gateway, ME, f"Authorization: Bearer {token}")
    assert head.get("x-ratelimit-remaining") == got.get("x-ratelimit-remaining")
    first, second = backends.charges
    assert first == second


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        (ME, "GET, HEAD, OPTIONS, PATCH"),
        (LOGIN, "OPTIONS, POST"),
        (OPENAPI, "GET, HEAD, OPTIONS"),
        (f"{USERS}/1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
    ],
)
async def test_options_names_the_verbs_and_so_does_405(
    gateway: Gateway, path: str, allow: str
) -> None:
    """9110 9.3.7 and 15.5.6."""
    options = await answer_to(gateway, request("OPTIONS", path))
    assert (options.status, options.get("allow"), options.body) == (204, allow, b"")
    wrong = await answer_to(gateway, request("FROB", path))
    assert (wrong.status, wrong.get("allow")) == (405, allow)


async def test_what_has_no_content_has_no_length(gateway: Gateway, token: str) -> None:
    """9110 8.6: not in 204; 15.3.5."""
    credential = f"Authorization: Bearer {token}"
    for data in (request("OPTIONS", ME), request("DELETE", f"{USERS}/1", credential)):
        answer = await answer_to(gateway, data)
        assert answer.status == 204
        assert answer.get("content-length") is None
        assert answer.get("transfer-encoding") is None


# Conditions: 9110 sections 13 and 15.4.5; which of them hold, the core says --------------------


async def not_modified(_request: Any, context: Context) -> users.GetMeResponse:
    await context.send_initial_metadata((("x-http-code", "304"), ("etag", '"7"')))
    return users.GetMeResponse(user=User(bio="b" * 2000))


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_304_has_the_headers_that_it_must_have_and_no_content(
    gateway: Gateway, connection: Connection, backends: Backends, token: str, encoding: str
) -> None:
    backends.script(GET_ME, not_modified)
    rows = (f"Authorization: Bearer {token}", f"Accept-Encoding: {encoding}", 'If-None-Match: "7"')
    connection.send(request("GET", ME, *rows))
    answer = await connection.answer()
    assert answer.status == 304
    assert answer.get("etag") == '"7"'
    assert answer.get("vary") == "Accept-Encoding"
    assert answer.get("cache-control") == "no-store"
    assert answer.get("date")
    for name in ("content-length", "transfer-encoding", "content-type", "content-encoding"):
        assert answer.get(name) is None
    assert await connection.is_open()


async def test_conditions_reach_the_core_as_they_were_sent(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    rows = ('If-None-Match: "1"', 'If-None-Match: W/"2"', "If-Match: *")
    await answer_to(gateway, request("GET", ME, f"Authorization: Bearer {token}", *rows))
    [call] = backends.calls
    assert call.metadata["if-match"] == "*"
    assert '"2"' in call.metadata["if-none-match"]


# Credentials: 9110 section 11 -------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
@pytest.mark.parametrize("spaces", [" ", "  ", "     "])
async def test_a_scheme_has_no_case_and_any_number_of_spaces(
    gateway: Gateway, backends: Backends, token: str, scheme: str, spaces: str
) -> None:
    """11.1 and 11.4: credentials = auth-scheme 1*SP token68."""
    for credential in (token, GOOD_KEY):
        row = f"Authorization: {scheme}{spaces}{credential} "
        assert (await answer_to(gateway, request("GET", ME, row))).status == 200
    assert backends.calls[0].metadata["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer\t{token}",
        "Bearer{token}",
        "Bearer {token},",
        "Bearer {token} more",
        "Bearer more {token}",
        "Bearer {token}, Bearer {token}",
        "Bearer {token};a=b",
        "Basic eDp5, Bearer {token}",
        "Token {token}",
        "{token}",
    ],
)
async def test_what_is_no_bearer_token_is_no_credential(
    gateway: Gateway, backends: Backends, token: str, value: str
) -> None:
    row = f"Authorization: {value.format(token=token)}"
    answer = await answer_to(gateway, request("GET", ME, row))
    assert answer.status == 401
    assert (answer.get("www-authenticate") or "").startswith('Bearer realm="portico"')
    assert backends.calls == []


@pytest.mark.parametrize(
    "values",
    [("Bearer {t}", "Bearer {t}"), ("Bearer {t}", "Bearer x"), ("Basic x", "Bearer {t}")],
)
async def test_several_authorization_fields_are_no_credential(
    gateway: Gateway, backends: Backends, token: str, values: tuple[str, ...]
) -> None:
    """5.3: only a field that is a list may be there more than once."""
    rows = [f"Authorization: {value.format(t=token)}" for value in values]
    answer = await answer_to(gateway, request("GET", ME, *rows))
    assert answer.status == 401
    assert backends.calls == []


async def test_several_keys_are_no_credential(gateway: Gateway, backends: Backends) -> None:
    rows = [f"X-API-Key: {GOOD_KEY}", "X-API-Key: pk_test_other"]
    assert (await answer_to(gateway, request("GET", ME, *rows))).status == 401
    assert backends.calls == []


# Connections: 9112 sections 9 and 6, 9110 section 10.1.1 ----------------------------------------


async def test_pipelined_requests_are_answered_in_their_order(connection: Connection) -> None:
    """9112 9.3.2."""
    connection.send(request("GET", HEALTH) + request("GET", HEALTH) + request("GET", "/nope"))
    assert [(await connection.answer()).status for _ in range(3)] == [200, 200, 404]


async def test_a_client_that_asks_to_close_is_obeyed(connection: Connection) -> None:
    """9112 9.6."""
    connection.send(request("GET", HEALTH, "Connection: close"))
    answer = await connection.answer()
    assert answer.get("connection") == "close"
    assert await connection.ends() == b""


async def test_what_follows_a_request_is_not_taken_for_a_part_of_it(
    connection: Connection, backends: Backends
) -> None:
    connection.send(request("GET", HEALTH) + b"GARBAGE\r\n\r\n")
    assert (await connection.answer()).status == 200
    assert (await connection.answer()).status == 400
    assert await connection.ends() == b""
    assert len(backends.calls) == 1


async def test_what_cannot_be_framed_ends_the_connection(
    connection: Connection, backends: Backends
) -> None:
    """9112 6.3: nothing behind it may be taken for a request."""
    rows = ("Content-Length: 3", "Transfer-Encoding: chunked")
    connection.send(request("POST", LOGIN, *rows, body=b"0\r\n\r\n" + request("GET", HEALTH)))
    answer = await connection.answer()
    assert (answer.status, answer.get("connection")) == (400, "close")
    assert await connection.ends() == b""
    assert backends.calls == []


async def test_a_client_that_waits_for_100_is_told_to_go_on(
    connection: Connection, backends: Backends
) -> None:
    """9110 10.1.1."""
    connection.send(request("POST", LOGIN, JSON, "Expect: 100-continue", "Content-Length: 2"))
    assert (await connection.answer()).status == 100
    connection.send(b"{}")
    assert (await connection.answer()).status == 200
    assert len(backends.calls) == 1


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_http_1_0_gets_no_chunks_and_may_keep_its_connection(
    connection: Connection, backends: Backends, token: str, keep: bool, encoding: str
) -> None:
    """9112 6.1 and 9.3: what a proxy such as nginx speaks by default to what is behind it."""
    backends.script(GET_ME, users.GetMeResponse(user=User(bio="b" * 2000)))
    rows = [f"Authorization: Bearer {token}", f"Accept-Encoding: {encoding}"]
    rows += ["Connection: keep-alive"] if keep else []
    connection.send(request("GET", ME, *rows, version="HTTP/1.0"))
    answer = await connection.answer()
    assert answer.status == 200
    assert answer.get("transfer-encoding") is None
    if encoding == "identity":
        assert answer.get("content-length") == str(len(answer.body))
        assert (answer.get("connection") == "keep-alive") == keep
        assert await connection.is_open() == keep


async def test_http_1_0_needs_no_host(gateway: Gateway) -> None:
    answer = await answer_to(gateway, b"GET /api/v1/health HTTP/1.0\r\n\r\n")
    assert (answer.status, answer.get("connection")) == (200, "close")


async def test_chunks_with_extensions_and_trailers_are_a_body(
    gateway: Gateway, backends: Backends
) -> None:
    """9112 7.1.1 and 7.1.2."""
    body = b'2;a="b"\r\n{}\r\n0\r\nX-Trailer: v\r\n\r\n'
    answer = await answer_to(
        gateway, request("POST", LOGIN, JSON, "Transfer-Encoding: chunked", body=body)
    )
    assert answer.status == 200
    assert len(backends.calls) == 1


# Vary: 9110 section 12.5.5 ----------------------------------------------------------------------


async def test_what_depends_on_the_encoding_says_so(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    backends.script(GET_ME, users.GetMeResponse(user=User(bio="b" * 2000)))
    for encoding in ("gzip", "identity"):
        rows = (f"Authorization: Bearer {token}", f"Accept-Encoding: {encoding}")
        answer = await answer_to(gateway, request("GET", ME, *rows))
        assert answer.get("vary") == "Accept-Encoding"


# Sizes: one limit, at the gateway, below what is behind it ----------------------------------------

SMALLER = 512  # what the other fields of the requests below take


async def test_headers_within_the_limit_pass_for_every_credential(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    many = [f"X-Field-{number}: v" for number in range(MAX_HEADERS - 20)]
    large = [f"X-Large: {'a' * (MAX_HEADERS_BYTES - 2 * 1024)}"]
    for credential in (f"Authorization: Bearer {token}", f"X-API-Key: {GOOD_KEY}"):
        for rows in (many, large):
            assert (await answer_to(gateway, request("GET", ME, credential, *rows))).status == 200


@pytest.mark.parametrize("count", [MAX_HEADERS + 1, 2 * MAX_HEADERS + 1, 2000])
@pytest.mark.parametrize("path", [ME, HEALTH, "/nope"])
async def test_too_many_headers_are_431(
    gateway: Gateway, backends: Backends, path: str, count: int
) -> None:
    rows = [f"X-Field-{number}: v" for number in range(count)]
    answer = await answer_to(gateway, request("GET", path, f"X-API-Key: {GOOD_KEY}", *rows))
    assert (answer.status, answer.error["code"]) == (431, "HEADERS_TOO_LARGE")
    assert backends.calls == backends.checks == []


@pytest.mark.parametrize("kilobytes", [17, 31, 33, 100])
@pytest.mark.parametrize("path", [ME, HEALTH, "/nope"])
async def test_large_headers_are_431(
    gateway: Gateway, backends: Backends, path: str, kilobytes: int
) -> None:
    row = f"X-Large: {'a' * kilobytes * 1024}"
    answer = await answer_to(gateway, request("GET", path, f"X-API-Key: {GOOD_KEY}", row))
    assert (answer.status, answer.error["code"]) == (431, "HEADERS_TOO_LARGE")
    assert backends.calls == backends.checks == []


async def test_a_target_of_8000_bytes_passes_and_a_longer_one_is_414(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    """9112 3."""
    credential = f"Authorization: Bearer {token}"
    path = f"{USERS}?search={'a' * (8000 - len(USERS) - 8)}"
    assert (await answer_to(gateway, request("GET", path, credential))).status == 200
    longer = f"{USERS}?search={'a' * MAX_HEADERS_BYTES}"
    answer = await answer_to(gateway, request("GET", longer, credential))
    assert (answer.status, answer.error["code"]) == (414, "URI_TOO_LONG")


# Time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        request("POST", LOGIN, JSON, "Content-Length: 20", body=b"{"),
        request("POST", LOGIN, JSON, "Transfer-Encoding: chunked", body=b"1\r\n{\r\n"),
        request("PATCH", ME, JSON, "X-API-Key: pk_test_good", "Content-Length: 20", body=b"{"),
        b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n",
    ],
    ids=["a body", "chunks", "a body with a key", "headers"],
)
async def test_what_comes_too_slowly_is_408_in_the_one_shape(
    connection: Connection, gateway: Gateway, data: bytes
) -> None:
    """9110 15.5.9: and the connection ends."""
    connection.send(data)
    async with asyncio.timeout(gateway.settings.request_timeout + 1):
        answer = await connection.answer()
    assert (answer.status, answer.error["code"]) == (408, "TIMEOUT")
    assert answer.get("connection") == "close"
