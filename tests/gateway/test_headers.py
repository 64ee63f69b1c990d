"""Headers: request ids, security, CORS, compression, and the access log."""

from __future__ import annotations

import json
import zlib
from uuid import UUID

import pytest
from portico.users.v1 import user_service_pb2 as users
from portico.users.v1.user_pb2 import User

from edge.gateway.headers import EXPOSED_HEADERS, SECURITY_HEADERS
from portico_kit.testing.waiting import eventually
from tests.gateway.backends import GOOD_KEY, Backends
from tests.gateway.gateway import Gateway

ME = "/api/v1/users/me"
ORIGIN = "https://app.example.com"
LOG_SECONDS = 5.0


async def test_a_request_id_is_echoed_and_reaches_the_core(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    answer = await gateway.get(ME, token=token, headers={"X-Request-ID": "order-42.a:b_c"})
    assert answer.headers["x-request-id"] == "order-42.a:b_c"
    assert answer.json["meta"]["requestId"] == "order-42.a:b_c"
    assert backends.calls[0].metadata["x-request-id"] == "order-42.a:b_c"


async def test_a_missing_request_id_is_made(gateway: Gateway, token: str) -> None:
    answer = await gateway.get(ME, token=token)
    assert UUID(answer.headers["x-request-id"])


@pytest.mark.parametrize("hostile", ['","admin":true,"x":"', "a" * 129, "{}", "%0a", "a b", "é"])
@pytest.mark.parametrize("path", [ME, "/api/v1/nope", "/nope", "/api/v1/users/a%2Fb"])
async def test_a_hostile_request_id_breaks_nothing(
    gateway: Gateway, path: str, hostile: str, token: str
) -> None:
    answer = await gateway.get(path, token=token, headers={"X-Request-ID": hostile})
    body = answer.json
    given = body["meta"]["requestId"] if body["success"] else body["error"]["requestId"]
    assert set(body) <= {"success", "data", "meta", "error"}
    if "%" not in path:  # refused before the filter that bounds the id
        assert len(given) <= 128
    assert given == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", [ME, "/api/v1/nope", "/nope", "/api/v1/users/a%2Fb"])
async def test_every_answer_carries_the_security_headers(gateway: Gateway, path: str) -> None:
    answer = await gateway.get(path)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers.getall(name) == [value]
    assert answer.headers["cache-control"] == "no-store"


async def test_an_allowed_page_may_read_the_answer(gateway: Gateway, token: str) -> None:
    for credential in (token, None):
        answer = await gateway.get(ME, token=credential, headers={"Origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers["access-control-allow-credentials"] == "true"
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert set(exposed) == set(EXPOSED_HEADERS)


async def test_an_allowed_page_may_ask_first(gateway: Gateway, backends: Backends) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,if-match",
    }
    answer = await gateway.call("OPTIONS", ME, headers=headers)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "if-match" in answer.headers["access-control-allow-headers"]
    assert backends.calls == []


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "https://app.example.com.evil.com", "null"]
)
async def test_another_page_may_not(gateway: Gateway, token: str, origin: str) -> None:
    asks = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    for answer in (
        await gateway.get(ME, token=token, headers={"Origin": origin}),
        await gateway.call("OPTIONS", ME, headers=asks),
    ):
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
async def test_a_large_answer_is_compressed(
    gateway: Gateway, backends: Backends, token: str, encoding: str
) -> None:
    answer = users.GetMeResponse(user=User(bio="b" * 2000))
    backends.script("/portico.users.v1.UserService/GetMe", answer)
    answered = await gateway.get(ME, token=token, headers={"Accept-Encoding": encoding})
    assert answered.headers["content-encoding"] == encoding
    assert len(answered.body) < 1000
    if encoding == "gzip":
        body = json.loads(zlib.decompress(answered.body, wbits=31))
        assert body["data"]["bio"] == "b" * 2000


async def test_zstd_is_chosen_where_all_are_welcome(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    answer = users.GetMeResponse(user=User(bio="b" * 2000))
    backends.script("/portico.users.v1.UserService/GetMe", answer)
    headers = {"Accept-Encoding": "gzip, deflate, br, zstd"}
    answered = await gateway.get(ME, token=token, headers=headers)
    assert answered.headers["content-encoding"] == "zstd"


async def test_the_access_log_has_each_request_and_no_credential(
    gateway: Gateway, token: str
) -> None:
    headers = {"X-Request-ID": "seen-in-the-log", "X-API-Key": GOOD_KEY}
    await gateway.get(f"{ME}?colour=red", token=token)
    await gateway.get(ME, headers=headers)
    log = gateway.settings.access_log

    async def is_written() -> bool:
        return "seen-in-the-log" in log.read_text()

    await eventually(is_written, LOG_SECONDS)
    text = log.read_text()
    [line] = [json.loads(row) for row in text.splitlines() if "seen-in-the-log" in row]
    assert line["rpc"] == "portico.users.v1.UserService.GetMe"
    assert (line["method"], line["path"], line["status"]) == ("GET", ME, 200)
    for secret in (GOOD_KEY, token, "colour=red"):
        assert secret not in text
