"""The strictest application through the front door: it pushes its requests (RFC 9126), signs who it
is (RFC 7523), and proves to have a key (RFC 9449) wherever it goes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from portico_kit.clock import utc_now
from tests.core.applications.keys import ClientKey, assertion, ec_key
from tests.platform.conftest import PASSWORD, Tenant
from tests.stack import Stack
from tests.support.proofs import ProofKey
from tests.web.browser import FrontDoorBrowser, PageAnswer
from tests.web.oauth_client import FORM, OAuthClient, decide, settled

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "openid email offline_access keys:read"


@dataclass
class StrictClient(OAuthClient):
    """An application that signs, pushes and proves."""

    base_url: str = ""
    signs_with: ClientKey = field(default_factory=ec_key)
    key: ProofKey = field(default_factory=ProofKey)
    nonce: str | None = None

    @property
    def assertion(self) -> dict[str, str]:
        """How it authenticates."""
        signed = assertion(self.signs_with, self.client_id, utc_now(), aud=self.base_url)
        return {"client_assertion": signed, "client_assertion_type": ASSERTION_TYPE}

    def proof(self, path: str, method: str = "POST", token: str | None = None) -> str:
        """A proof for a request, with the newest nonce."""
        url = f"{self.base_url}{path}"
        return self.key.proof(method, url, token=token, nonce=self.nonce)

    async def post(
        self, program: FrontDoorBrowser, path: str, fields: Mapping[str, str], proof: str
    ) -> tuple[int, Any]:
        """Calls an endpoint; gives the status and what stands in the answer."""
        headers = {"Content-Type": FORM, **({"DPoP": proof} if proof else {})}
        answer = await program.send("POST", path, urlencode(fields).encode(), headers)
        assert answer.headers["Cache-Control"] == "no-store"
        self.nonce = answer.headers.get("DPoP-Nonce", self.nonce)
        return answer.status, json.loads(answer.body)


@pytest.fixture
async def browser(stack: Stack) -> AsyncIterator[FrontDoorBrowser]:
    """A browser, or a program, somewhere on the internet."""
    browser = FrontDoorBrowser(stack.base_url)
    yield browser
    await browser.close()


@pytest.fixture
async def client(stack: Stack, tenant: Tenant) -> StrictClient:
    """An application of the tenant."""
    client = StrictClient("", base_url=stack.base_url)
    body = {
        "name": "Difference Engine",
        "kind": "web",
        "redirectUris": [client.redirect_uri],
        "scopes": SCOPE.split(),
        "tokenEndpointAuthMethod": "private_key_jwt",
        "jwks": {"keys": [client.signs_with.public]},
        "dpopBoundAccessTokens": True,
        "requirePushedAuthorizationRequests": True,
    }
    path = f"/organizations/{tenant.organization_id}/applications"
    made = await tenant.client.call("POST", path, body, expect=201)
    client.client_id = made["application"]["id"]
    return client


async def push(browser: FrontDoorBrowser, client: StrictClient) -> str:
    """The request_uri of a request. The first proof has no nonce, and the client tries again."""
    fields = {**client.parameters, "scope": SCOPE, "prompt": "consent", **client.assertion}
    status, refused = await client.post(browser, "/oauth/par", fields, client.proof("/oauth/par"))
    assert (status, refused["error"]) == (400, "use_dpop_nonce")
    status, pushed = await client.post(browser, "/oauth/par", fields, client.proof("/oauth/par"))
    assert (status, pushed["expires_in"]) == (201, 60), pushed
    return str(pushed["request_uri"])


async def consent(
    browser: FrontDoorBrowser, client: StrictClient, tenant: Tenant, request_uri: str
) -> dict[str, str]:
    """What comes back to the application when the person has signed in and agreed."""
    query = urlencode({"client_id": client.client_id, "request_uri": request_uri})
    page = await settled(browser, await browser.get(f"/oauth/authorize?{query}"))
    if page.heading == "Sign in":
        page = await browser.submit(page, "/sign-in", email=tenant.email, password=PASSWORD)
        page = await settled(browser, page)
    assert page.heading.endswith("asks for access"), page.text
    return client.answer(await decide(browser, page, "approve"))


async def test_the_whole_flow_of_an_application_that_pushes_signs_and_proves(
    browser: FrontDoorBrowser, client: StrictClient, tenant: Tenant
) -> None:
    document = json.loads((await browser.get("/.well-known/openid-configuration")).body)
    assert document["pushed_authorization_request_endpoint"] == f"{client.base_url}/oauth/par"
    assert "ES256" in document["dpop_signing_alg_values_supported"]
    request_uri = await push(browser, client)
    back = await consent(browser, client, tenant, request_uri)

    form = {**client.exchange(back["code"]), **client.assertion}
    status, refused = await client.post(browser, "/oauth/token", form, "")
    assert (status, refused["error"]) == (400, "invalid_dpop_proof")
    form |= client.assertion
    proof = client.proof("/oauth/token")
    status, tokens = await client.post(browser, "/oauth/token", form, proof)
    assert (status, tokens.get("token_type")) == (200, "DPoP"), tokens

    again = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        **client.assertion,
    }
    status, refused = await client.post(browser, "/oauth/token", again, proof)
    assert (status, refused["error"]) == (400, "invalid_dpop_proof")
    again |= client.assertion
    status, refreshed = await client.post(
        browser, "/oauth/token", again, client.proof("/oauth/token")
    )
    assert (status, refreshed.get("token_type")) == (200, "DPoP"), refreshed

    token = refreshed["access_token"]
    fields = {"token": token, **client.assertion}
    status, said = await client.post(browser, "/oauth/introspect", fields, "")
    assert (status, said["token_type"], said["cnf"]) == (200, "DPoP", {"jkt": client.key.jkt})
    keys = f"/api/v1/organizations/{tenant.organization_id}/api-keys"
    for path in ("/oauth/userinfo", keys):
        shown = client.proof(path, "GET", token)
        answer = await browser.send("GET", path, None, dpop(token, shown))
        assert answer.status == 200, answer.body
        replayed = await browser.send("GET", path, None, dpop(token, shown))
        assert (replayed.status, error_of(replayed)) == (401, "invalid_dpop_proof")
        bearer = await browser.send("GET", path, None, {"Authorization": f"Bearer {token}"})
        assert bearer.status == 401

    # The request was used up, and one in the address is not what the application registered.
    query = urlencode({"client_id": client.client_id, "request_uri": request_uri})
    assert (await browser.get(f"/oauth/authorize?{query}")).status == 400
    unpushed = await browser.get(client.request(scope=SCOPE))
    assert client.answer(unpushed)["error"] == "invalid_request"


async def test_userinfo_says_which_nonce_to_use(
    browser: FrontDoorBrowser, client: StrictClient
) -> None:
    token = "a.b.c"
    without = client.proof("/oauth/userinfo", "GET", token)
    answer = await browser.send("GET", "/oauth/userinfo", None, dpop(token, without))
    assert (answer.status, error_of(answer)) == (401, "use_dpop_nonce")
    assert "algs=" in answer.headers["WWW-Authenticate"]
    client.nonce = answer.headers["DPoP-Nonce"]
    shown = client.proof("/oauth/userinfo", "GET", token)
    answer = await browser.send("GET", "/oauth/userinfo", None, dpop(token, shown))
    assert (answer.status, error_of(answer)) == (401, "invalid_token")
    missing = await browser.send("GET", "/oauth/userinfo", None, dpop(token, ""))
    assert (missing.status, error_of(missing)) == (401, "invalid_dpop_proof")


async def test_pages_of_other_origins_may_push_and_read_the_nonce(
    browser: FrontDoorBrowser, client: StrictClient
) -> None:
    origin = {"Origin": "https://app.example.com", "DPoP": client.proof("/oauth/par")}
    answer = await browser.send("POST", "/oauth/par", b"", {"Content-Type": FORM, **origin})
    assert answer.status in (400, 401)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "dpop-nonce" in answer.headers["Access-Control-Expose-Headers"].lower()
    assert answer.headers["DPoP-Nonce"]
    assert (await browser.get("/oauth/par")).status == 405


def dpop(token: str, proof: str) -> dict[str, str]:
    """What a request with a bound token has."""
    return {"Authorization": f"DPoP {token}", **({"DPoP": proof} if proof else {})}


def error_of(answer: PageAnswer) -> str:
    """The error in the challenge of an answer that asks for another credential."""
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith("DPoP ")
    return challenge.partition('error="')[2].partition('"')[0]
