"""The MCP SDKs' clients, unmodified: they find the server, register, and call the API."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx2
import psycopg
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

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


@pytest.fixture
async def listener() -> AsyncIterator[str]:
    """Where a program on this machine waits for the browser; gives its address."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback"


class Kept:
    """What the client keeps, in memory."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.information: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.information

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.information = client_info


async def test_the_client_of_the_python_sdk_registers_itself_and_calls_the_api(
    stack: Stack, visitor: Visitor, ada: Account, open_organization: str, listener: str
) -> None:
    kept, came_to = Kept(), asyncio.Queue[str]()

    async def go(url: str) -> None:
        came_to.put_nowait(await agree(visitor, ada, url, listener))
        await visitor.page.wait_for_url(f"{listener}**")

    async def come_back() -> AuthorizationCodeResult:
        given = parse_qs(urlsplit(await came_to.get()).query)
        return AuthorizationCodeResult(
            code=given["code"][0], state=given["state"][0], iss=given["iss"][0]
        )

    provider = OAuthClientProvider(
        server_url=f"{stack.base_url}/api/v1",
        client_metadata=OAuthClientMetadata(
            client_name="MCP client in Python",
            redirect_uris=[AnyUrl(listener)],
            grant_types=["authorization_code", "refresh_token"],
        ),
        storage=kept,
        redirect_handler=go,
        callback_handler=come_back,
    )
    path = f"{stack.base_url}/api/v1/organizations/{open_organization}"
    async with httpx2.AsyncClient(auth=provider) as client:
        await client.get(path)
        assert kept.tokens is not None
        claims = _claims(kept.tokens.access_token)
        answer = await client.get(f"{stack.base_url}/api/v1/organizations/{claims['org']}")
    assert answer.status_code == 200
    assert kept.information is not None
    assert claims["client_id"] == kept.information.client_id
    path = f"/organizations/{open_organization}/applications"
    listed = await ada.call(stack, "GET", path, expect=200)
    origins = {each["id"]: each["origin"] for each in listed}
    assert origins[kept.information.client_id] == "registered"


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


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
