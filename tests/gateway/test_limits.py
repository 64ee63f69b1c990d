"""What the limiter is told of each call, and what callers see of its decision."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from portico.users.v1.user_service_pb2 import GetMeRequest, GetMeResponse

from tests.gateway.backends import GOOD_KEY, KEY_SUBJECT, Backends, refused
from tests.gateway.gateway import Gateway, running, settings_for
from tests.gateway.tokens import Signer

ME = "/api/v1/users/me"
KEYS = "/api/v1/organizations/0195d1a0-0000-7000-8000-000000000001/api-keys"
GET_ME = "/portico.users.v1.UserService/GetMe"
ADDRESS = ("address", "127.0.0.1")


def charged(backends: Backends) -> list[tuple[str, str]]:
    """The entries of the one descriptor that the limiter was sent."""
    [request] = backends.charges
    assert request.domain == "portico"
    [descriptor] = request.descriptors
    assert descriptor.hits_addend.value == 1
    return [(entry.key, entry.value) for entry in descriptor.entries]


async def test_a_person_is_charged(gateway: Gateway, backends: Backends, signer: Signer) -> None:
    await gateway.get(ME, token=signer.token(sub="ann", tier="pro", org="acme"))
    assert charged(backends) == [
        ("subject", "ann"),
        ("tier", "pro"),
        ("organization", "acme"),
        ("category", "read"),
    ]


async def test_a_key_is_charged_with_its_own_limits(gateway: Gateway, backends: Backends) -> None:
    await gateway.call("POST", KEYS, headers={"X-API-Key": GOOD_KEY}, json={})
    assert charged(backends) == [
        ("subject", KEY_SUBJECT),
        ("tier", "pro"),
        ("limits", "minute=60"),
        ("category", "write"),
    ]


@pytest.mark.parametrize(
    ("path", "category"),
    [
        ("/api/v1/auth/login", "login"),
        ("/api/v1/auth/register", "register"),
        # The core limits resets by email; the address pays for a write.
        ("/api/v1/auth/forgot-password", "write"),
        ("/api/v1/auth/reset-password", "write"),
    ],
)
async def test_a_stranger_is_charged_by_address(
    gateway: Gateway, backends: Backends, path: str, category: str
) -> None:
    await gateway.call("POST", path, json={})
    assert charged(backends) == [ADDRESS, ("category", category)]


async def test_a_refresh_is_left_to_the_core_which_knows_whose_token_it_is(
    gateway: Gateway, backends: Backends
) -> None:
    await gateway.call("POST", "/api/v1/auth/refresh", json={"refreshToken": "x"})
    assert backends.charges == []


async def test_guessing_passwords_is_charged_to_the_address_of_a_person_too(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    await gateway.call("POST", "/api/v1/auth/login", token=token, json={})
    assert charged(backends) == [ADDRESS, ("category", "login")]


async def test_a_forged_forwarded_address_is_not_believed(
    gateway: Gateway, backends: Backends
) -> None:
    headers = {"X-Forwarded-For": "203.0.113.7"}
    await gateway.call("POST", "/api/v1/auth/login", headers=headers, json={})
    assert charged(backends)[0] == ADDRESS


async def test_a_call_without_credential_never_reaches_the_limiter(
    gateway: Gateway, backends: Backends
) -> None:
    await gateway.get(ME)
    await gateway.get(ME, token="not.a.token")
    assert backends.charges == []


async def test_the_limiters_headers_are_on_the_answer(gateway: Gateway, token: str) -> None:
    answer = await gateway.get(ME, token=token)
    assert answer.headers["x-ratelimit-limit"] == "60"
    assert answer.headers["ratelimit"] == '"minute";r=59;t=30'
    assert answer.headers["ratelimit-policy"] == '"minute";q=60;w=60'
    assert "x-envoy-ratelimited" not in answer.headers


async def test_a_refusal_is_429_and_says_when_to_come_back(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    backends.limit_decision = refused
    answer = await gateway.get(ME, token=token)
    assert answer.status == 429
    assert answer.error["code"] == "RATE_LIMIT_EXCEEDED"
    assert answer.headers.getall("retry-after") == ["7"]
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert backends.calls == []


async def test_a_refusal_over_grpc_is_resource_exhausted(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    backends.limit_decision = refused
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await gateway.native(GET_ME, GetMeRequest(), GetMeResponse, token=token)
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    answer = await gateway.web(GET_ME, GetMeRequest(), token=token)
    assert answer.grpc_status == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]


async def test_a_flood_from_one_address_stops_at_the_door(
    short_folder: Path, backends: Backends
) -> None:
    folder = short_folder / "flood"
    folder.mkdir()
    async with running(settings_for(folder, address_rate=2)) as gateway:
        answers = [await gateway.get(ME) for _ in range(6)]
    assert [answer.status for answer in answers[:4]] == [401] * 4
    last = answers[-1]
    assert last.status == 429
    assert last.error["code"] == "RATE_LIMIT_EXCEEDED"
    assert last.headers["retry-after"] == "1"
