"""The first administrator is appointed from the command line."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from tests.platform.conftest import Client, sign_up
from tests.stack import Stack


async def portico_administrator(stack: Stack, email: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cli", "administrator", email),
        env={**os.environ, "PORTICO_DATABASE_URL": stack.database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_whoever_is_appointed_sees_every_account(stack: Stack) -> None:
    async with stack.rest() as http:
        person = await sign_up(stack, Client(http))
        await person.client.call("GET", "/users", expect=403)
        code, output = await portico_administrator(stack, person.email)
        assert code == 0, output
        users = await person.client.call("GET", "/users?limit=1", expect=200)
        assert len(users) == 1


@pytest.mark.parametrize("email", ["nobody@example.com", "no address"])
async def test_nobody_is_appointed_by_mistake(stack: Stack, email: str) -> None:
    code, output = await portico_administrator(stack, email)
    assert code != 0
    assert output == f"portico administrator: nobody has registered with {email}\n"
