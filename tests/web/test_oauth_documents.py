"""What anybody may read about the OAuth server: no credential, also while the core is away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from portico.auth.v1 import auth_service_pb2 as auth

from edge.web.core_client import CoreClient, connect
from edge.web.main import pages
from edge.web.oauth.documents import KEYS_FRESH_SECONDS, KeySet
from edge.web.paths import (
    AUTHORIZATION_SERVER,
    ENDPOINT_PATHS,
    KEY_SET,
    OPENID_CONFIGURATION,
    PROTECTED_RESOURCE,
)
from tests.web.browser import Browser, PageAnswer
from tests.web.conftest import settings_for

ISSUER = "https://id.example.com"
# RFC 8414, section 2, OpenID Connect Discovery, section 3, and what MCP clients look for.
SERVER = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/oauth/authorize",
    "token_endpoint": f"{ISSUER}/oauth/token",
    "device_authorization_endpoint": f"{ISSUER}/oauth/device_authorization",
    "revocation_endpoint": f"{ISSUER}/oauth/revoke",
    "introspection_endpoint": f"{ISSUER}/oauth/introspect",
    "pushed_authorization_request_endpoint": f"{ISSUER}/oauth/par",
    "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "PS256"],
    "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
    "response_types_supported": ["code"],
    "code_challenge_methods_supported": ["S256"],
    "authorization_response_iss_parameter_supported": True,
}


@pytest.fixture
async def alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A program that asks the process of the pages, which has no core."""
    settings = settings_for(tmp_path_factory.mktemp("w"))
    async with pages(settings):
        browser = Browser(settings.web_socket)
        yield browser
        await browser.close()


def assert_public(answer: PageAnswer) -> Any:
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    assert "Set-Cookie" not in answer.headers
    return json.loads(answer.body)


@pytest.mark.parametrize("path", [AUTHORIZATION_SERVER, OPENID_CONFIGURATION])
async def test_the_metadata_is_served_without_the_core(alone: Browser, path: str) -> None:
    document = assert_public(await alone.get(path))
    assert {name: document[name] for name in SERVER} == SERVER
    assert "token" not in document["response_types_supported"]


async def test_what_discovery_demands_is_there(alone: Browser) -> None:
    document = assert_public(await alone.get(OPENID_CONFIGURATION))
    assert document["userinfo_endpoint"] == f"{ISSUER}/oauth/userinfo"
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    assert "openid" in document["scopes_supported"]
    assert {"public"} <= set(document["subject_types_supported"])


@pytest.mark.parametrize("path", [AUTHORIZATION_SERVER, OPENID_CONFIGURATION])
async def test_what_the_metadata_names_is_served(alone: Browser, path: str) -> None:
    document = assert_public(await alone.get(path))
    served = {each.path for each in ENDPOINT_PATHS} | {"/oauth/authorize", "/oauth/logout"}
    named = {
        value.removeprefix(ISSUER)
        for name, value in document.items()
        if name.endswith(("_endpoint", "_uri"))
    }
    assert named <= served


async def test_the_api_says_who_gives_tokens_for_it(alone: Browser) -> None:
    document = assert_public(await alone.get(PROTECTED_RESOURCE))
    assert document["resource"] == ISSUER
    assert document["authorization_servers"] == [ISSUER]
    assert document["bearer_methods_supported"] == ["header"]
    assert "offline_access" not in document["scopes_supported"]


async def test_head_is_answered(alone: Browser) -> None:
    answer = await alone.send("HEAD", OPENID_CONFIGURATION, None, {})
    assert (answer.status, answer.body) == (200, b"")


async def test_without_any_keys_yet_the_answer_says_when_to_come_back(alone: Browser) -> None:
    answer = await alone.get(KEY_SET)
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert json.loads(answer.body)["error"] == "temporarily_unavailable"


async def test_the_keys_are_those_of_the_core(browser: Browser) -> None:
    keys = assert_public(await browser.get(KEY_SET))["keys"]
    assert {"ES256"} <= {key["alg"] for key in keys}
    for key in keys:
        assert {"kty", "use", "alg", "kid"} <= set(key)
        assert "" not in key.values()
        assert not {"d", "p", "q"} & set(key)
    [first, *_] = [key for key in keys if key["alg"] == "ES256"]
    assert set(first) == {"kty", "use", "alg", "kid", "crv", "x", "y"}


class Core(CoreClient):
    """A core that can be away."""

    is_away = False
    asked = 0

    async def call(self, method: Any, request: Any, caller: Any, *more: Any, **named: Any) -> Any:
        self.asked += 1
        if self.is_away:
            await super().call(method, request, caller, *more, **named)
        key = auth.JsonWebKey(kid=str(self.asked))
        return auth.GetJsonWebKeySetResponse(keys=[key])


async def test_the_last_keys_are_served_while_the_core_is_away(tmp_path: Path) -> None:
    now = [0.0]
    core = Core(connect(tmp_path / "nobody.sock"))
    keys = KeySet(core, lambda: now[0])

    async def served() -> str:
        answer = await keys.get(make_mocked_request("GET", KEY_SET))
        [key] = json.loads(answer.body)["keys"]  # type: ignore[attr-defined]
        return str(key["kid"])

    assert await served() == "1"
    assert await served() == "1"  # the core is not asked for each
    now[0] = KEYS_FRESH_SECONDS
    assert await served() == "2"
    core.is_away, now[0] = True, 3600.0
    assert await served() == "2"
    core.is_away = False
    assert await served() == "4"
    await core.channel.close()
