"""One line more in the table of kinds: what the gateway takes, and whom it charges."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.gateway import kinds
from edge.gateway.kinds import ClientSecret, ClientToken
from server.features.auth.authenticator import USER
from server.features.keys.authenticator import KEY
from tests.gateway.backends import Backends
from tests.gateway.gateway import Gateway, running, settings_for
from tests.gateway.tokens import MINUTE, Signer

ME = "/api/v1/users/me"
ROBOTS = "portico-robots"


@pytest.fixture(scope="module")
async def wider(short_folder: Path, signer: Signer) -> AsyncIterator[tuple[Gateway, Backends]]:
    """A gateway that knows robots, too, by tokens and by secrets."""
    folder = short_folder / "kinds"
    folder.mkdir()
    backends = Backends(folder, keys=[signer.public])
    await backends.start()
    with pytest.MonkeyPatch.context() as table:
        line = ClientToken("robots", audience=ROBOTS, charged="fleet")
        table.setattr(kinds, "TOKENS", (*kinds.TOKENS, line))
        table.setattr(kinds, "SECRETS", (*kinds.SECRETS, ClientSecret("rk_")))
        async with running(settings_for(folder, jwks_cache=1)) as gateway:
            await gateway.becomes(200, ME, token=signer.token())
            await gateway.becomes(200, ME, token=robot(signer))
            yield gateway, backends
    await backends.stop()


@pytest.fixture
def gateway(wider: tuple[Gateway, Backends]) -> Gateway:
    gateway, backends = wider
    backends.reset()
    return gateway


@pytest.fixture
def backends(wider: tuple[Gateway, Backends]) -> Backends:
    return wider[1]


def robot(signer: Signer, **changes: object) -> str:
    return signer.token(**{"aud": ROBOTS, "kind": "robot", "fleet": "a fleet", **changes})


def charged(backends: Backends) -> str:
    """The subject that the limiter was sent."""
    [request] = backends.charges
    [descriptor] = request.descriptors
    entries: dict[str, str] = {entry.key: entry.value for entry in descriptor.entries}
    return entries["subject"]


async def test_each_kind_of_token_is_charged_as_its_line_says(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    token = robot(signer, tier="pro")
    assert (await gateway.get(ME, token=token)).status == 200
    assert charged(backends) == "a fleet"
    [call] = backends.calls
    assert call.metadata["authorization"] == f"Bearer {token}"
    backends.reset()
    assert (await gateway.get(ME, token=signer.token(sub="ann"))).status == 200
    assert charged(backends) == "ann"


@pytest.mark.parametrize("audience", ["portico", ROBOTS])
async def test_an_expired_token_of_each_kind_is_named(
    gateway: Gateway, signer: Signer, audience: str
) -> None:
    answer = await gateway.get(ME, token=robot(signer, aud=audience, exp=int(time.time()) - MINUTE))
    assert (answer.status, answer.error["code"]) == (401, "TOKEN_EXPIRED")


@pytest.mark.parametrize("audience", [KEY.audience, "portico-", "x", None])
async def test_a_token_for_nobody_in_the_table_is_refused(
    gateway: Gateway, backends: Backends, signer: Signer, audience: str | None
) -> None:
    answer = await gateway.get(ME, token=robot(signer, aud=audience))
    assert (answer.status, answer.error["code"]) == (401, "UNAUTHENTICATED")
    assert backends.calls == []


async def test_a_token_of_a_foreign_key_is_refused_whatever_its_audience(gateway: Gateway) -> None:
    for audience in ("portico", ROBOTS):
        answer = await gateway.get(ME, token=robot(Signer("main"), aud=audience))
        assert (answer.status, answer.error["code"]) == (401, "UNAUTHENTICATED")


async def test_a_secret_of_each_kind_may_come_as_a_bearer_token(
    gateway: Gateway, backends: Backends
) -> None:
    for secret in ("pk_test_wrong", "rk_secret"):
        backends.reset()
        assert (await gateway.get(ME, token=secret)).status == 401
        [check] = backends.checks
        assert check.attributes.request.http.headers["x-api-key"] == secret
    backends.reset()
    assert (await gateway.get(ME, token="zk_secret")).status == 401
    assert backends.checks == []


def test_the_table_has_the_audience_of_persons_and_never_that_of_our_own_edge() -> None:
    audiences = {kind.audience for kind in kinds.TOKENS}
    assert USER.audience in audiences
    assert KEY.audience not in audiences
