"""The MCP SDK's client, unmodified: it finds the server, registers itself, and calls the API."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.browser.chromium import requires_chromium
from tests.browser.conftest import ada as ada
from tests.browser.conftest import browser as browser
from tests.browser.conftest import new_visitor as new_visitor
from tests.browser.conftest import visitor as visitor
from tests.browser.visitor import Account, Visitor
from tests.clients.test_certified_clients import PACKAGE, agree
from tests.node import node_modules, requires_node
from tests.stack import REGISTRATION_ORGANIZATION, Stack

pytestmark = [requires_chromium]
# Nobody listens there: the browser is stopped on its way.
REDIRECT = "http://127.0.0.1:47111/callback"
# Rows as they are, but for what is given.
COPY = """
insert into {0} select (jsonb_populate_record(each, %s::jsonb)).* from {0} each
where {1} = %s on conflict do nothing
"""


@pytest.fixture
async def open_organization(stack: Stack, ada: Account) -> str:
    """The organization that the platform names for those who name none; Ada owns it."""
    founded = await ada.call(stack, "POST", "/organizations", {"name": "Registry"}, expect=201)
    own, slug = {"id": REGISTRATION_ORGANIZATION}, f"registry-{uuid4().hex[:8]}"
    member = {"id": str(uuid4()), "organization_id": REGISTRATION_ORGANIZATION}
    async with await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as db:
        for table, key, values in (
            ("organizations", "id", {**own, "slug": slug}),
            ("memberships", "organization_id", member),
        ):
            copy = COPY.format(table, key).encode()
            await db.execute(copy, [json.dumps(values), founded["id"]])
    policy = {
        "registration": "open",
        "scopes": ["openid", "offline_access", "projects:read", "organization:read"],
    }
    path = f"/organizations/{REGISTRATION_ORGANIZATION}/registration-policy"
    await ada.call(stack, "PUT", path, policy, expect=200)
    return REGISTRATION_ORGANIZATION


@requires_node
async def test_the_client_of_the_typescript_sdk_registers_itself_and_calls_the_api(
    stack: Stack, visitor: Visitor, ada: Account, open_organization: str, tmp_path: Path
) -> None:
    shutil.copy(PACKAGE / "mcp-sdk.mjs", tmp_path)
    modules = await asyncio.to_thread(node_modules, PACKAGE)
    (tmp_path / "node_modules").symlink_to(modules)
    process = await asyncio.create_subprocess_exec(
        "node",
        "mcp-sdk.mjs",
        cwd=tmp_path,
        env={**os.environ, "ISSUER": stack.base_url, "REDIRECT_URI": REDIRECT},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        assert url, (await process.stderr.read()).decode()
        process.stdin.write(f"{await agree(visitor, ada, url, REDIRECT)}\n".encode())
        result = await process.stdout.readline()
        assert result, (await process.stderr.read()).decode()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    # It asked for a secret, which a program on a person's machine cannot keep.
    assert json.loads(result) == {"method": "none", "refreshed": True, "status": 200}
