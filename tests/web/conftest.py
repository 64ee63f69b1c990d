"""The pages in front of a real core; a test has as many browsers as it asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from edge.web.main import pages
from edge.web.settings import WebSettings
from tests.core.conftest import own_time as own_time  # a fixture of these tests, too
from tests.core.conftest import running
from tests.core.world import INTERNAL_TOKEN, Person, World
from tests.stack import PostgresServer
from tests.support.certificates import PROXY_SECRET
from tests.web.browser import Browser, PageAnswer

APP = "https://app.example.com"
LOCAL_APP = "http://127.0.0.1:4000/app"


@pytest.fixture(scope="session")
def web_database_url(postgres: PostgresServer) -> Iterator[str]:
    """One migrated database for all of these tests."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
async def world(web_database_url: str, valkey_url: str) -> AsyncIterator[World]:
    """A running core with the rate limit service beside it."""
    async with running("pygrpc-native", web_database_url, valkey_url) as world:
        yield world


def settings_for(runtime_dir: Path) -> WebSettings:
    """Settings of the pages beside a core."""
    return WebSettings(
        runtime_dir=runtime_dir,
        internal_token=SecretStr(INTERNAL_TOKEN),
        proxy_secret=SecretStr(PROXY_SECRET),
        public_url="https://id.example.com",
        return_urls=(APP, LOCAL_APP),
    )


@pytest.fixture(scope="session")
async def web_socket(world: World) -> AsyncIterator[Path]:
    """The pages, served on a socket."""
    settings = settings_for(world.runtime_dir)
    async with pages(settings):
        yield settings.web_socket


NewBrowser = Callable[..., Browser]


@pytest.fixture
async def new_browser(web_socket: Path) -> AsyncIterator[NewBrowser]:
    """Makes browsers."""
    opened: list[Browser] = []

    def make(**headers: str) -> Browser:
        browser = Browser(web_socket, headers)
        opened.append(browser)
        return browser

    yield make
    for browser in opened:
        await browser.close()


@pytest.fixture
async def browser(new_browser: NewBrowser) -> Browser:
    """A browser that has never been here."""
    return new_browser()


@pytest.fixture
async def person(world: World) -> Person:
    """Somebody with an account."""
    return await world.new_person()


async def sign_in(browser: Browser, person: Person, path: str = "/sign-in") -> PageAnswer:
    """Signs somebody in on the page; the answer is where that leads."""
    page = await browser.get(path)
    return await browser.submit(page, "/sign-in", email=person.email, password=person.password)
