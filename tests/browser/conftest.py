"""The whole platform, a browser, and people in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.chromium import axe_script, running_browser
from tests.browser.visitor import Account, Visitor
from tests.stack import Stack

NewVisitor = Callable[..., Awaitable[Visitor]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium; every visitor has a profile of their own in it."""
    async with running_browser() as running:
        yield running


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that looks for what keeps people out."""
    return axe_script()


@pytest.fixture
async def new_visitor(stack: Stack, browser: Browser) -> AsyncIterator[NewVisitor]:
    """Makes visitors, without scripts unless said otherwise: the pages have none."""
    made: list[Visitor] = []

    async def make(*, scripts: bool = False, **options: Any) -> Visitor:
        visitor = await Visitor.arrive(stack, browser, scripts=scripts, **options)
        made.append(visitor)
        return visitor

    yield make
    for visitor in made:
        await visitor.context.close()


@pytest.fixture
async def visitor(new_visitor: NewVisitor) -> Visitor:
    """Somebody who has never been here."""
    return await new_visitor()


@pytest.fixture
async def ada(stack: Stack) -> Account:
    """An account whose address is verified."""
    return await Account.make(stack)
