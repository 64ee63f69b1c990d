"""Certified clients, unmodified, go through the whole flow; a real browser brings the consent."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet
from playwright.async_api import Request

from tests.browser.chromium import requires_chromium
from tests.browser.conftest import ada as ada
from tests.browser.conftest import browser as browser
from tests.browser.conftest import new_visitor as new_visitor
from tests.browser.conftest import visitor as visitor
from tests.browser.visitor import Account, Visitor
from tests.go import build, requires_go
from tests.node import node_modules, requires_node
from tests.stack import Stack

pytestmark = requires_chromium
PACKAGE = Path(__file__).parent
# Nobody listens there: the browser is stopped on its way.
REDIRECT = "https://app.example.com/callback"
SECONDS = 30
DISCOVERY = "/.well-known/openid-configuration"


async def new_application(stack: Stack, owner: Account) -> dict[str, str]:
    """A web application with every grant, as environment variables of a client."""
    founded = await owner.call(stack, "POST", "/organizations", {"name": "Clients"}, expect=201)
    body = {
        "name": "Certified client",
        "kind": "web",
        "redirectUris": [REDIRECT],
        "grantTypes": ["authorization_code", "refresh_token", "client_credentials"],
        "scopes": ["openid", "email", "offline_access", "projects:read"],
    }
    path = f"/organizations/{founded['id']}/applications"
    made = await owner.call(stack, "POST", path, body, expect=201)
    return {
        "ISSUER": stack.base_url,
        "CLIENT_ID": made.get("application", made)["id"],
        "CLIENT_SECRET": made["clientSecret"],
        "REDIRECT_URI": REDIRECT,
    }


async def agree(visitor: Visitor, account: Account, url: str, redirect: str = REDIRECT) -> str:
    """Signs in, allows what is asked, and gives where the browser was sent to."""
    arrived: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def note(request: Request) -> None:
        if request.url.startswith(redirect) and not arrived.done():
            arrived.set_result(request.url)

    visitor.page.on("request", note)
    await visitor.open(url)
    await visitor.sign_in(account)
    assert (await visitor.heading()).endswith("asks for access")
    await visitor.page.get_by_role("button", name="Allow", exact=True).click(no_wait_after=True)
    async with asyncio.timeout(SECONDS):
        return await arrived


async def go_through(
    program: list[str], folder: Path, environment: dict[str, str], visitor: Visitor, ada: Account
) -> Any:
    """What a client says it got.

    Args:
        program: says where the person has to go, and reads where they came back to.
    """
    process = await asyncio.create_subprocess_exec(
        *program,
        cwd=folder,
        env={**os.environ, **environment},
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
        callback = await agree(visitor, ada, url)
        process.stdin.write(f"{callback}\n".encode())
        result = await process.stdout.readline()
        assert result, (await process.stderr.read()).decode()
        return json.loads(result)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@requires_node
@pytest.mark.parametrize("client", ["openid-client", "oauth4webapi"])
async def test_a_certified_client_goes_through_the_whole_flow(
    client: str, stack: Stack, visitor: Visitor, ada: Account, tmp_path: Path
) -> None:
    shutil.copy(PACKAGE / f"{client}.mjs", tmp_path)
    modules = await asyncio.to_thread(node_modules, PACKAGE)
    (tmp_path / "node_modules").symlink_to(modules)
    environment = await new_application(stack, ada)
    program = ["node", f"{client}.mjs"]
    assert await go_through(program, tmp_path, environment, visitor, ada) == {
        "email": ada.email,
        "iss": stack.base_url,
        "active": True,
        "ended": False,
        "machine": "projects:read",
    }


@requires_go
@pytest.mark.timeout(600)  # Go's own library is compiled, where it never was before
async def test_go_goes_through_the_whole_flow(
    stack: Stack, visitor: Visitor, ada: Account, tmp_path: Path
) -> None:
    """With golang.org/x/oauth2 and go-oidc, as servers written in Go do."""
    program = await asyncio.to_thread(build, PACKAGE / "go")
    environment = await new_application(stack, ada)
    assert await go_through([str(program)], tmp_path, environment, visitor, ada) == {
        "email": ada.email,
        "iss": stack.base_url,
        "refreshed": True,
        "again": "invalid_grant",
        "machine": "projects:read",
    }


async def test_authlib_goes_through_the_whole_flow(
    stack: Stack, visitor: Visitor, ada: Account
) -> None:
    made = await new_application(stack, ada)

    def call(method: Any, *arguments: Any, **named: Any) -> Any:
        return asyncio.to_thread(method, *arguments, **named)

    session = OAuth2Session(
        made["CLIENT_ID"],
        made["CLIENT_SECRET"],
        scope="openid email offline_access projects:read",
        redirect_uri=REDIRECT,
        code_challenge_method="S256",
    )
    found = await call(session.get, f"{stack.base_url}{DISCOVERY}", withhold_token=True)
    server = found.json()
    verifier, nonce = generate_token(48), generate_token(16)
    url, _ = session.create_authorization_url(
        server["authorization_endpoint"], code_verifier=verifier, nonce=nonce, prompt="consent"
    )
    callback = await agree(visitor, ada, url)
    endpoint = server["token_endpoint"]
    tokens = await call(
        session.fetch_token, endpoint, authorization_response=callback, code_verifier=verifier
    )
    keys = (await call(session.get, server["jwks_uri"], withhold_token=True)).json()
    id_token = jwt.decode(tokens["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"])
    assert (id_token.claims["iss"], id_token.claims["nonce"]) == (stack.base_url, nonce)
    userinfo = (await call(session.get, server["userinfo_endpoint"])).json()
    assert (userinfo["sub"], userinfo["email"]) == (id_token.claims["sub"], ada.email)
    refreshed = await call(session.refresh_token, endpoint, refresh_token=tokens["refresh_token"])
    ask = server["introspection_endpoint"]
    said = await call(session.introspect_token, ask, token=refreshed["access_token"])
    assert said.json()["active"] is True
    await call(
        session.revoke_token, server["revocation_endpoint"], token=refreshed["refresh_token"]
    )
    said = await call(session.introspect_token, ask, token=refreshed["access_token"])
    assert said.json() == {"active": False}
    machine = OAuth2Session(made["CLIENT_ID"], made["CLIENT_SECRET"], scope="projects:read")
    given = await call(machine.fetch_token, endpoint, grant_type="client_credentials")
    assert given["scope"] == "projects:read"
