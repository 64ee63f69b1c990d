"""Without the core a page says so and when to come back; the process itself stays well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.run.probes import unix_request
from edge.web import cookies
from edge.web.app import PAGES
from edge.web.main import pages
from edge.web.paths import PAGE_PATHS
from tests.web.browser import Browser
from tests.web.conftest import settings_for


@pytest.fixture
async def alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """The pages without a core."""
    settings = settings_for(tmp_path_factory.mktemp("w"))
    async with pages(settings):
        yield settings.web_socket


async def test_without_the_core_pages_are_shown_and_forms_keep_what_was_typed(alone: Path) -> None:
    browser = Browser(alone)
    try:
        page = await browser.get("/sign-in")
        assert page.status == 200
        answer = await browser.submit(page, "/sign-in", email="ada@example.com", password="x")
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "5"
        assert answer.form("/sign-in").fields["email"] == "ada@example.com"
        browser.cookies[cookies.SESSION] = "A" * 43
        answer = await browser.get("/account")
        assert (answer.status, answer.heading) == (503, "Back in a moment")
        assert answer.headers["Retry-After"] == "5"
        # Nobody is signed out by an outage.
        assert cookies.SESSION in browser.cookies
    finally:
        await browser.close()


async def test_health_is_that_of_the_process_itself(alone: Path) -> None:
    assert await asyncio.to_thread(unix_request, alone, "GET", "/health") == (200, "SERVING")


def test_every_page_has_a_route_of_the_gateway() -> None:
    for path in PAGES:
        assert any(page.covers(path) for page in PAGE_PATHS), path
    forms = {page.path for page in PAGE_PATHS if page.form is not None}
    for path, page in PAGES.items():
        if page.post is not None:
            assert any(path == form or path.startswith(f"{form}/") for form in forms), path
