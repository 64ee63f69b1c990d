"""A call takes no longer than PORTICO_REQUEST_TIMEOUT, whatever hangs behind the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from portico.users.v1.user_service_pb2 import GetMeRequest, GetMeResponse

from edge.gateway.settings import GatewaySettings
from tests.gateway.backends import GOOD_KEY, Backends
from tests.gateway.gateway import Gateway, running, settings_for
from tests.gateway.tokens import Signer

ME = "/api/v1/users/me"
LOGIN = "/api/v1/auth/login"
GET_ME = "/portico.users.v1.UserService/GetMe"
TIMEOUT_SECONDS = 1.5
# The machine's, not the promise's.
SLACK_SECONDS = 1.0


@pytest.fixture
async def parts(short_folder: Path, tmp_path: Path, signer: Signer) -> AsyncIterator[Backends]:
    """What stands behind a gateway of this test's own."""
    folder = short_folder / f"hang-{tmp_path.name[-12:]}"
    folder.mkdir()
    backends = Backends(folder, keys=[signer.public])
    await backends.start()
    yield backends
    await backends.stop()


@pytest.fixture
async def timed(parts: Backends, token: str) -> AsyncIterator[Gateway]:
    """A gateway that lets calls take TIMEOUT_SECONDS."""
    settings = settings_for(
        parts.runtime_dir,
        request_timeout=TIMEOUT_SECONDS,
        jwks_cache=1,
        limiter_timeout=GatewaySettings.model_fields["limiter_timeout"].default,
    )
    async with running(settings) as gateway:
        await gateway.becomes(200, ME, token=token)
        yield gateway


@contextmanager
def in_time() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < TIMEOUT_SECONDS + SLACK_SECONDS


async def test_a_core_that_hangs_is_a_timeout_over_rest_grpc_and_grpc_web(
    timed: Gateway, parts: Backends, token: str
) -> None:
    await parts.silence("core")

    async def over_rest(verb: str, path: str) -> tuple[int, str]:
        body: dict[str, str] | None = None if verb == "GET" else {}
        answer = await timed.call(verb, path, token=token, json=body)
        return answer.status, answer.error["code"]

    async def over_grpc() -> grpc.StatusCode:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await timed.native(GET_ME, GetMeRequest(), GetMeResponse, token=token)
        return refusal.value.code()

    async def over_grpc_web() -> tuple[int, int | None]:
        answer = await timed.web(GET_ME, GetMeRequest(), token=token)
        return answer.status, answer.grpc_status

    with in_time():
        answers = await asyncio.gather(
            over_rest("GET", ME),
            over_rest("PATCH", ME),
            over_rest("POST", LOGIN),
            over_grpc(),
            over_grpc_web(),
        )
    assert list(answers) == [
        *[(504, "TIMEOUT")] * 3,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        (200, grpc.StatusCode.DEADLINE_EXCEEDED.value[0]),
    ]


async def test_many_calls_to_a_core_that_hangs_all_end_in_time(
    timed: Gateway, parts: Backends, token: str
) -> None:
    await parts.silence("core")
    with in_time():
        answers = await asyncio.gather(*(timed.get(ME, token=token) for _ in range(50)))
    assert {answer.status for answer in answers} <= {503, 504}


async def test_an_authorizer_that_hangs_costs_keys_no_more_than_the_time_of_a_call(
    timed: Gateway, parts: Backends, token: str
) -> None:
    await parts.silence("authorize")
    with in_time():
        answer = await timed.get(ME, headers={"X-API-Key": GOOD_KEY})
    assert answer.status in {503, 504}
    assert answer.error["code"] in {"UNAVAILABLE", "TIMEOUT"}
    assert (await timed.get(ME, token=token)).status == 200


async def test_a_limiter_that_hangs_costs_little_and_guessing_is_refused(
    timed: Gateway, parts: Backends, token: str
) -> None:
    await parts.silence("ratelimit")
    with in_time():
        answer = await timed.get(ME, token=token)
    assert (answer.status, answer.headers["x-ratelimit-status"]) == (200, "unavailable")
    with in_time():
        refused = await timed.call("POST", LOGIN, json={})
    assert (refused.status, refused.error["code"]) == (503, "UNAVAILABLE")


async def test_a_caller_who_asks_for_less_time_gets_less(
    timed: Gateway, parts: Backends, token: str
) -> None:
    await parts.silence("core")
    started = time.monotonic()
    answer = await timed.get(ME, token=token, headers={"grpc-timeout": "200m"})
    assert answer.status == 504
    assert time.monotonic() - started < TIMEOUT_SECONDS


async def test_no_deadline_of_a_caller_buys_more_time_or_breaks_anything(
    timed: Gateway, parts: Backends, token: str
) -> None:
    values = ("99H", "0m", "1n", "-1S", "soon", "9999999999S", "")
    await parts.silence("core")

    async def status(value: str) -> int:
        return (await timed.get(ME, token=token, headers={"grpc-timeout": value})).status

    with in_time():
        statuses = await asyncio.gather(*map(status, values))
    answers = dict(zip(values, statuses, strict=True))
    assert set(answers.values()) <= {400, 504}, answers
