"""An application of the tests: it sends browsers to us, and calls the endpoints itself."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from portico.applications.v1 import application_service_pb2 as pb
from portico.applications.v1.application_service_pb2_grpc import ApplicationServiceStub

from tests.core.world import Person, World
from tests.web.browser import Browser, PageAnswer

AUTHORIZE = "/oauth/authorize"
CONSENT = "/oauth/consent"
REDIRECT = "https://app.example.com/callback"
FORM = "application/x-www-form-urlencoded"


@dataclass
class OAuthClient:
    """An application, and what it has sent."""

    client_id: str
    client_secret: str = ""
    redirect_uri: str = REDIRECT
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(8))

    @property
    def parameters(self) -> dict[str, str]:
        """What an authorization request says."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid email projects:read",
            "state": self.state,
            "nonce": "n-0S6_WzA2Mj",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }

    def request(self, **changed: str) -> str:
        """The address that a browser is sent to; what is empty is left out."""
        values = {**self.parameters, **changed}
        return f"{AUTHORIZE}?{urlencode({n: v for n, v in values.items() if v})}"

    async def send(self, browser: Browser, **changed: str) -> PageAnswer:
        """Sends a browser to us, and follows until a page is shown or it is sent elsewhere."""
        return await settled(browser, await browser.get(self.request(**changed)))

    def answer(self, answer: PageAnswer) -> dict[str, str]:
        """What came back to the redirect URI."""
        assert answer.location.startswith(f"{self.redirect_uri}?"), answer.location
        given = parse_qs(urlsplit(answer.location).query, keep_blank_values=True)
        assert given["state"] == [self.state]
        return {name: value for name, [value] in given.items()}

    def exchange(self, code: str) -> dict[str, str]:
        """The form that exchanges a code."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }

    @property
    def basic(self) -> dict[str, str]:
        """How the application authenticates."""
        plain = f"{self.client_id}:{self.client_secret}".encode()
        return {"Authorization": f"Basic {base64.b64encode(plain).decode()}"}

    async def call(
        self,
        program: Browser,
        path: str,
        fields: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Calls an endpoint; gives the status and what stands in the answer."""
        sent = {"Content-Type": FORM, **(self.basic if headers is None else headers)}
        answer = await program.send("POST", path, urlencode(fields).encode(), sent)
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, json.loads(answer.body) if answer.body else None


async def new_client(
    world: World, owner: Person, organization_id: str, **fields: Any
) -> OAuthClient:
    """A web application of an organization."""
    values: dict[str, Any] = {
        "name": "Analytical Engine",
        "kind": "web",
        "redirect_uris": [REDIRECT],
        "scopes": ["openid", "profile", "email", "offline_access", "projects:read", "keys:read"],
        "policy_uri": "https://app.example.com/privacy",
        "tos_uri": "https://app.example.com/terms",
        **fields,
    }
    request = pb.CreateApplicationRequest(organization_id=organization_id, **values)
    stub = ApplicationServiceStub(world.channel)
    made = await stub.CreateApplication(request, metadata=owner.metadata)
    uri = next(iter(values["redirect_uris"]), "")
    return OAuthClient(made.application.id, made.client_secret, redirect_uri=uri)


async def settled(browser: Browser, answer: PageAnswer) -> PageAnswer:
    """Follows redirects from one page of ours to another."""
    while answer.status == 303 and answer.location.startswith("/"):
        answer = await browser.follow(answer)
    return answer


async def decide(browser: Browser, page: PageAnswer, decision: str, **typed: str) -> PageAnswer:
    """Presses a button of the consent page."""
    return await browser.submit(page, CONSENT, decision=decision, **typed)
