"""A part is stopped (SIGSTOP), as by a debugger or a machine that swaps: calls end in time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.platform.conftest import Tenant
from tests.platform.test_outages import _recovers
from tests.stack import Stack

# PORTICO_REQUEST_TIMEOUT, and what a loaded machine may add.
ANSWER_SECONDS = 10.0 + 3.0


@contextmanager
def stopped(stack: Stack, part: str) -> Iterator[None]:
    pid = stack.pid(part)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
async def someone(new_tenant: Any) -> Tenant:
    """A tenant of this test's own."""
    made: Tenant = await new_tenant()
    return made


@pytest.mark.parametrize(
    ("part", "statuses"), [("core", {503, 504}), ("authorize", {503}), ("ratelimit", {200})]
)
async def test_a_stopped_part_keeps_nobody_longer_than_a_call_may_take(
    stack: Stack, someone: Tenant, part: str, statuses: set[int]
) -> None:
    path = f"/organizations/{someone.organization_id}/api-keys"
    body = {"name": "a key", "scopes": ["organization:read"]}
    secret = (await someone.client.call("POST", path, body, expect=201))["secret"]
    headers = {"x-api-key": secret}
    url = f"/api/v1/organizations/{someone.organization_id}"
    with stopped(stack, part):
        for _ in range(2):
            started = time.monotonic()
            async with someone.client.http.get(url, headers=headers) as answer:
                text = await answer.text()
                assert answer.status in statuses, text
            assert time.monotonic() - started < ANSWER_SECONDS
    await _recovers(someone)


async def test_headers_within_the_limit_pass_every_part(stack: Stack, someone: Tenant) -> None:
    large = {"x-large": "a" * 14_000}
    many = {f"x-field-{number}": "v" for number in range(80)}
    path = f"/organizations/{someone.organization_id}/api-keys"
    body = {"name": "a key", "scopes": ["organization:read"]}
    secret = (await someone.client.call("POST", path, body, expect=201))["secret"]
    credentials = ({"authorization": f"Bearer {someone.client.token}"}, {"x-api-key": secret})
    url = f"/api/v1/organizations/{someone.organization_id}"
    for credential in credentials:
        for fields in (large, many):
            async with someone.client.http.get(url, headers={**credential, **fields}) as answer:
                assert answer.status == 200, await answer.text()
