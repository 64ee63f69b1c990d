"""One Envoy for most tests, in front of backends that are told what to answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from portico_contract import CONTRACT_FILE, Contract, load
from tests.gateway.backends import Backends
from tests.gateway.gateway import START_SECONDS, Gateway, running, settings_for
from tests.gateway.tokens import Signer


@pytest.fixture(scope="session")
def contract() -> Contract:
    """The contract as it is committed."""
    return load(CONTRACT_FILE)


@pytest.fixture(scope="session")
def signer() -> Signer:
    """Signs tokens that the gateway accepts."""
    return Signer("main")


@pytest.fixture(scope="session")
def token(signer: Signer) -> str:
    """A person's access token."""
    return signer.token()


@pytest.fixture(scope="session")
async def all_backends(short_folder: Path, signer: Signer) -> AsyncIterator[Backends]:
    folder = short_folder / "gateway"
    folder.mkdir()
    backends = Backends(folder, keys=[signer.public])
    await backends.start()
    yield backends
    await backends.stop()


@pytest.fixture(scope="session")
async def running_gateway(all_backends: Backends, token: str) -> AsyncIterator[Gateway]:
    settings = settings_for(all_backends.runtime_dir, request_timeout=1, jwks_cache=1)
    async with running(settings) as gateway:
        # Until then the published keys are not fetched, or the core is not found healthy.
        await gateway.becomes(200, "/api/v1/users/me", token=token, seconds=START_SECONDS)
        yield gateway


@pytest.fixture
def backends(all_backends: Backends) -> Iterator[Backends]:
    """The services behind the gateway, without memory of other tests."""
    all_backends.reset()
    yield all_backends
    all_backends.reset()


@pytest.fixture
def gateway(running_gateway: Gateway, backends: Backends) -> Gateway:
    """The gateway; its backends have no memory of other tests."""
    return running_gateway
