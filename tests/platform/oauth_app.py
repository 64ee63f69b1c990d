"""An application at the front door: by HTTP alone, each call from an address of its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp

from tests.platform.conftest import Tenant
from tests.stack import Stack
from tests.support.addresses import new_address
from tests.web.oauth_client import FORM, OAuthClient

REDIRECT = "https://app.example.com/callback"
SCOPE = "openid email offline_access projects:read"
Answer = tuple[int, Any, Mapping[str, str]]


@dataclass
class App:
    """An application and its owner, through the front door, by HTTP alone."""

    owner: Tenant
    client: OAuthClient
    http: aiohttp.ClientSession

    async def send(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A form to an endpoint, from a new address: the status, the answer, and its headers."""
        sent = {"Content-Type": FORM, "X-Forwarded-For": new_address()}
        sent |= self.client.basic if headers is None else dict(headers)
        async with self.http.post(path, data=urlencode(fields).encode(), headers=sent) as answer:
            body = await answer.read()
            return answer.status, json.loads(body) if body else None, answer.headers

    async def token(self, fields: Mapping[str, str]) -> Answer:
        return await self.send("/oauth/token", fields)

    async def user_info(self, access_token: str) -> Answer:
        bearer = {"Authorization": f"Bearer {access_token}", "X-Forwarded-For": new_address()}
        async with self.http.get("/oauth/userinfo", headers=bearer) as answer:
            return answer.status, await answer.json(), answer.headers

    async def authorize(self, **changed: str) -> tuple[int, str, str]:
        """Opens /oauth/authorize: the status, where it leads, and the page."""
        path = self.client.request(**{"scope": SCOPE, **changed})
        headers = {"X-Forwarded-For": new_address(), "Accept": "text/html"}
        async with self.http.get(path, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def request_id(self, **changed: str) -> str:
        _, location, _ = await self.authorize(**changed)
        return parse_qs(urlsplit(location).query)["request_id"][0]

    async def approve(self, request_id: str) -> str:
        """The code for what the owner gives."""
        body = {"requestId": request_id, "organizationId": self.owner.organization_id}
        approved = await self.owner.client.call(
            "POST", "/oauth/authorizations/approve", body, expect=200
        )
        response = approved.get("response", approved)
        said = {each["name"]: str(each["value"]) for each in response["parameters"]}
        return said["code"]

    async def code(self) -> str:
        return await self.approve(await self.request_id())

    async def tokens(self) -> Any:
        """What comes of a whole flow."""
        status, tokens, _ = await self.token(self.client.exchange(await self.code()))
        assert status == 200, tokens
        return tokens


async def new_app(stack: Stack, owner: Tenant) -> App:
    body = {
        "name": "Analytical Engine",
        "kind": "web",
        "redirectUris": [REDIRECT],
        "grantTypes": ["authorization_code", "refresh_token", "client_credentials"],
        "scopes": SCOPE.split(),
    }
    path = f"/organizations/{owner.organization_id}/applications"
    made = await owner.client.call("POST", path, body, expect=201)
    client = OAuthClient(made["application"]["id"], made["clientSecret"], redirect_uri=REDIRECT)
    connector = aiohttp.TCPConnector(limit=100)
    return App(owner, client, aiohttp.ClientSession(stack.base_url, connector=connector))


def basic(client_id: str, secret: str) -> dict[str, str]:
    plain = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {plain}"}
