"""What callers see while a part behind the gateway is down, and after it is back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from portico.users.v1.user_service_pb2 import GetMeRequest, GetMeResponse

from tests.gateway.backends import GOOD_KEY, Backends
from tests.gateway.gateway import Gateway, running, settings_for
from tests.gateway.tokens import Signer
from tests.support.http import HttpResponse

HEALTH = "/api/v1/health"
LIMITED = "/api/v1/event-types"
GUARDED = "/api/v1/users/me"
RECOVERY_SECONDS = 8.0


@pytest.fixture
async def alone(short_folder: Path, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with nothing behind it."""
    folder = short_folder / f"alone-{tmp_path.name[-12:]}"
    folder.mkdir()
    async with running(settings_for(folder, jwks_cache=1)) as gateway:
        yield gateway


def assert_unavailable(answer: HttpResponse) -> None:
    assert answer.status == 503
    assert answer.error["code"] == "UNAVAILABLE"
    assert int(answer.headers["retry-after"]) >= 1


async def test_everything_down_is_503_and_comes_back_by_itself(
    alone: Gateway, signer: Signer
) -> None:
    assert_unavailable(await alone.get(HEALTH))
    assert_unavailable(await alone.get(LIMITED))
    assert_unavailable(await alone.get(GUARDED, headers={"X-API-Key": GOOD_KEY}))
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await alone.native(
            "/portico.health.v1.HealthService/GetHealth", GetMeRequest(), GetMeResponse
        )
    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
    backends = Backends(alone.settings.runtime_dir, keys=[signer.public])
    await backends.start()
    try:
        await alone.becomes(200, HEALTH, seconds=RECOVERY_SECONDS)
        await alone.becomes(200, LIMITED, seconds=RECOVERY_SECONDS)
        await alone.becomes(200, GUARDED, token=signer.token(), seconds=RECOVERY_SECONDS)
    finally:
        await backends.stop()


async def test_without_the_limiter_the_api_is_served_and_says_so_and_guessing_is_not(
    alone: Gateway, signer: Signer
) -> None:
    backends = Backends(alone.settings.runtime_dir, keys=[signer.public])
    await backends.start_core()
    try:
        await alone.becomes(200, HEALTH, seconds=RECOVERY_SECONDS)
        served = await alone.get(LIMITED)
        assert (served.status, served.headers["x-ratelimit-status"]) == (200, "unavailable")
        for action in ("login", "register", "forgot-password", "reset-password"):
            assert_unavailable(await alone.call("POST", f"/api/v1/auth/{action}", json={}))
        assert backends.calls[-1].path.endswith("ListEventTypes")
    finally:
        await backends.stop()


async def test_a_limiter_that_answers_is_not_said_to_be_unavailable(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    assert "x-ratelimit-status" not in (await gateway.get(GUARDED, token=token)).headers
    assert "x-ratelimit-status" not in (await gateway.get(GUARDED)).headers
    forged = {"x-edge-limits": "decided"}
    await gateway.get(GUARDED, token=token, headers=forged)
    assert backends.calls
