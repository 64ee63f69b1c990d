"""Nothing that a client sends is answered with 500, or in another shape: broken requests by chance.

The seed is fixed, so that a failure is one again. A failure prints the bytes.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import string
from contextlib import suppress

import pytest

from tests.gateway.backends import GOOD_KEY
from tests.gateway.gateway import Gateway
from tests.gateway.raw import Connection, RawAnswer

ROUNDS = 8
REQUESTS = 25
VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "G\tT", ""]
PATHS = [
    "/",
    "/sign-in",
    "/account/x",
    "*",
    "/api/v1/users/me",
    "/api/v1/users",
    "/api/v1/auth/login",
    "/api/v1/health",
    "/api/v1/openapi.json",
    "/.well-known/jwks.json/",
    "/portico.users.v1.UserService/GetMe",
    "/portico.users.v1.UserService/Nope",
    "http://a/api/v1/health",
    "//a/api/v1/health",
    "/api/v1/users/%00",
    "/api/v1/users/..%2f..",
]
NAMES = [
    "Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Encoding",
    "Content-Length", "Content-Type", "Cookie", "Expect", "Forwarded", "Host", "Idempotency-Key",
    "If-Match", "If-None-Match", "Keep-Alive", "Origin", "Range", "TE", "Trailer",
    "Transfer-Encoding", "Upgrade", "Via", "X-API-Key", "X-Forwarded-For", "X-Forwarded-Proto",
    "X-Grpc-Web", "X-HTTP-Method-Override", "X-Request-ID", "grpc-encoding", "grpc-timeout",
    "grpc-status", "x-edge-fault", "x-error-code", "x-http-code", ":path", "x_auth",
]  # fmt: skip
VALUES = [
    "", " ", ",", "*", "-1", "0", "1", "99999999999999999999", '"', "\\", "a,b", "a;b=c", "é", "%",
    "%ff", "identity", "gzip", "br;q=0", "chunked", "gzip, chunked", "close", "keep-alive",
    "Upgrade", "websocket", "h2c", "trailers", "100-continue", "application/json",
    "application/grpc", "application/grpc-web+proto", "application/grpc-web-text",
    "application/grpc+json", "text/plain; charset=x", "bytes=0-", "1n", "99H", "POST",
    f"Bearer {GOOD_KEY}", "Bearer", "Basic eDp5", GOOD_KEY, "a" * 5000, "\x01", "\x7f", "a\tb",
]  # fmt: skip
BODIES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"{",
    b"\0\0\0\0\0",
    b"\0\xff\xff\xff\xff",
    b"0\r\n\r\n",
    b"\xff",
]


def broken(chance: random.Random, token: str) -> bytes:
    """A request of which some parts are wrong."""
    body = chance.choice(BODIES)
    rows = [("Host", "a")] if chance.random() < 0.9 else []
    if chance.random() < 0.7:
        rows.append(("Content-Length", str(len(body))))
    if chance.random() < 0.5:
        rows.append(("Authorization", f"Bearer {token}"))
    names = [*NAMES, *(f"x-{number}" for number in range(99))]
    count = chance.choice([0, 1, 2, 3, 3, 30, 120])
    rows += zip(chance.choices(names, k=count), chance.choices(VALUES, k=count), strict=True)
    chance.shuffle(rows)
    path = chance.choice(PATHS) + chance.choice(["", "", "?", "?a=b", "?limit=x", "?%", "/", "#"])
    version = chance.choice(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/9", ""])
    head = f"{chance.choice(VERBS)} {path} {version}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in rows)
    data = (head + "\r\n").encode("utf-8") + body
    if chance.random() < 0.15:  # one byte is another
        at = chance.randrange(len(data))
        data = data[:at] + chance.choice(string.printable).encode() + data[at + 1 :]
    return data


async def answers(port: int, data: bytes) -> list[RawAnswer]:
    """What the gateway says until it is silent."""
    connection = await Connection.open(port)
    verb = "HEAD" if data.lstrip().startswith(b"HEAD ") else "GET"
    found: list[RawAnswer] = []
    try:
        connection.send(data)
        with suppress(TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            async with asyncio.timeout(2.5):
                while len(found) < 3:
                    found.append(await connection.answer(verb))
                    if found[-1].status != 100:
                        return found
    finally:
        connection.close()
    return found


def assert_ours(answer: RawAnswer, data: bytes) -> None:
    assert answer.status < 500 or answer.status in {501, 503, 504}, (answer, data)
    assert answer.status == 100 or answer.get("date"), (answer, data)
    is_json = answer.get("content-type") == "application/json"
    if answer.get("content-type") == "text/html; charset=utf-8":
        assert answer.body[:15] in (b"", b"<!doctype html>"), (answer, data)
        assert not re.match(rb"\s*\S+ \S*/(api|portico|\.well-known)", data), (answer, data)
    elif answer.status >= 400 and answer.body:
        assert is_json, (answer, data)
        assert set(json.loads(answer.body)["error"]) == {"code", "message", "details", "requestId"}
    for name, _ in answer.fields:
        assert not name.startswith(("x-edge-", "x-error-", "x-http-", "x-envoy-")), (answer, data)


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_no_request_is_a_fault_of_ours(gateway: Gateway, token: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (not for secrets)
    requests = [broken(chance, token) for _ in range(REQUESTS)]
    port = gateway.settings.rest_port
    for data, found in zip(
        requests, await asyncio.gather(*(answers(port, data) for data in requests)), strict=True
    ):
        for answer in found:
            assert_ours(answer, data)
    assert (await gateway.get("/api/v1/health")).status == 200
