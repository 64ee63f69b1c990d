"""OAuth through the front door: an application and a person, by forms and redirects alone."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
import pytest

from portico_kit.testing.waiting import eventually
from tests.platform.conftest import PASSWORD, Tenant
from tests.stack import Stack
from tests.support.http import HttpResponse
from tests.web.browser import FrontDoorBrowser, PageAnswer
from tests.web.oauth_client import CONSENT, FORM, OAuthClient, decide, settled
from tests.workers.harness import receiving

ELSEWHERE = {"Origin": "https://app.example.com"}
JSON = "application/json"


@pytest.fixture
async def browser(stack: Stack) -> AsyncIterator[FrontDoorBrowser]:
    """A browser, or a program, somewhere on the internet."""
    browser = FrontDoorBrowser(stack.base_url)
    yield browser
    await browser.close()


@pytest.fixture(scope="module")
async def client(tenant: Tenant) -> OAuthClient:
    """A web application of the tenant."""
    redirect_uri = "https://app.example.com/callback"
    body = {
        "name": "Analytical Engine",
        "kind": "web",
        "redirectUris": [redirect_uri],
        "grantTypes": ["authorization_code", "refresh_token", "client_credentials"],
        "scopes": ["openid", "email", "offline_access", "projects:read"],
    }
    path = f"/organizations/{tenant.organization_id}/applications"
    made = await tenant.client.call("POST", path, body, expect=201)
    application = made.get("application", made)
    return OAuthClient(application["id"], made["clientSecret"], redirect_uri=redirect_uri)


async def consent(browser: FrontDoorBrowser, client: OAuthClient, tenant: Tenant) -> PageAnswer:
    """Signs the person in on the way, and gives the page that asks."""
    page = await client.send(browser, prompt="consent", scope="openid offline_access projects:read")
    if page.heading == "Sign in":
        page = await browser.submit(page, "/sign-in", email=tenant.email, password=PASSWORD)
        page = await settled(browser, page)
    assert page.heading.endswith("asks for access"), page.text
    return page


async def code_for(browser: FrontDoorBrowser, client: OAuthClient, tenant: Tenant) -> str:
    """A fresh code."""
    page = await consent(browser, client, tenant)
    return client.answer(await decide(browser, page, "approve"))["code"]


async def send(
    browser: FrontDoorBrowser, path: str, body: bytes | str, **headers: str
) -> PageAnswer:
    """A request of a program, as it is."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = body.encode() if isinstance(body, str) else body
    return await browser.send("POST", path, raw, {"Content-Type": FORM, **sent})


def error_of(answer: PageAnswer | HttpResponse) -> str:
    """The error of RFC 6749, section 5.2, in an answer that nobody stores."""
    assert answer.headers["Content-Type"].startswith(JSON)
    assert answer.headers.getall("Cache-Control") == ["no-store"]
    content = json.loads(answer.body)
    assert set(content) <= {"error", "error_description", "error_uri"}
    return str(content["error"])


async def test_the_whole_flow(
    browser: FrontDoorBrowser, client: OAuthClient, tenant: Tenant, stack: Stack
) -> None:
    document = json.loads((await browser.get("/.well-known/openid-configuration")).body)
    assert document["issuer"] == stack.base_url
    page = await consent(browser, client, tenant)
    back = client.answer(await decide(browser, page, "approve"))
    assert back["iss"] == document["issuer"]  # RFC 9207, section 2
    status, tokens = await client.call(browser, "/oauth/token", client.exchange(back["code"]))
    assert status == 200, tokens
    assert {"access_token", "token_type", "expires_in", "refresh_token", "id_token"} <= set(tokens)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    for verb in ("GET", "POST"):
        answer = await browser.send(verb, "/oauth/userinfo", None, {**bearer, **ELSEWHERE})
        assert answer.status == 200
        assert json.loads(answer.body)["sub"]
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    status, refreshed = await client.call(browser, "/oauth/token", form)
    assert status == 200, refreshed
    assert refreshed["refresh_token"] != tokens["refresh_token"]
    status, said = await client.call(
        browser, "/oauth/introspect", {"token": refreshed["access_token"]}
    )
    assert (status, said["active"]) == (200, True)
    ended = {"token": refreshed["refresh_token"], "token_type_hint": "refresh_token"}
    assert await client.call(browser, "/oauth/revoke", ended) == (200, None)
    form["refresh_token"] = refreshed["refresh_token"]
    assert (await client.call(browser, "/oauth/token", form))[1]["error"] == "invalid_grant"


async def test_a_machine_gets_a_token(browser: FrontDoorBrowser, client: OAuthClient) -> None:
    form = {"grant_type": "client_credentials", "scope": "projects:read"}
    status, tokens = await client.call(browser, "/oauth/token", form)
    assert status == 200, tokens
    assert tokens["scope"] == "projects:read"
    assert not {"refresh_token", "id_token"} & set(tokens)


async def test_an_application_authenticates_as_it_is_registered(
    browser: FrontDoorBrowser, client: OAuthClient
) -> None:
    posted = {"client_id": client.client_id, "client_secret": client.client_secret}
    status, refused = await client.call(browser, "/oauth/token", {**MACHINE, **posted}, {})
    assert (status, refused["error"]) == (401, "invalid_client")


async def test_a_code_is_good_once_and_a_second_use_ends_what_it_gave(
    browser: FrontDoorBrowser, client: OAuthClient, tenant: Tenant
) -> None:
    form = client.exchange(await code_for(browser, client, tenant))
    status, tokens = await client.call(browser, "/oauth/token", form)
    assert status == 200
    status, refused = await client.call(browser, "/oauth/token", form)
    assert (status, refused["error"]) == (400, "invalid_grant")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    answer = await browser.send("GET", "/oauth/userinfo", None, bearer)
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "https://app.example.com/other"},
        {"code_verifier": "x" * 43},
        {"code_verifier": ""},
        {"code": "A" * 43},
    ],
)
async def test_a_code_with_something_that_does_not_belong_to_it_is_refused(
    browser: FrontDoorBrowser, client: OAuthClient, tenant: Tenant, changed: dict[str, str]
) -> None:
    form = {**client.exchange(await code_for(browser, client, tenant)), **changed}
    status, refused = await client.call(browser, "/oauth/token", form)
    assert status == 400
    assert refused["error"] in ("invalid_grant", "invalid_request")


# RFC 6749, as the wire decides it: what a program sends, and the error that it gets


MACHINE = {"grant_type": "client_credentials"}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("grant_type=password&username=a&password=b", "unsupported_grant_type"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&scope=a&scope=b", "invalid_request"),
        ("grant_type=client_credentials&client_secret=x", "invalid_request"),
        ("grant_type=client_credentials&client_id=somebody", "invalid_request"),
        ("grant_type=client_credentials&client_assertion=a.b.c", "invalid_request"),
        ("grant_type=client_credentials&scope=everything", "invalid_scope"),
        ("grant_type=client_credentials&resource=https://other.example", "invalid_target"),
        ("grant_type=client_credentials&scope=%FF", "invalid_request"),
        ("grant_type=client_credentials&scope=%zz", "invalid_request"),
        ("grant_type=authorization_code", "invalid_request"),
        ("grant_type=refresh_token", "invalid_request"),
        ("a=b&" * 101 + "grant_type=client_credentials", "invalid_request"),
    ],
)
async def test_a_request_that_is_wrong_has_its_error(
    browser: FrontDoorBrowser, client: OAuthClient, body: str, error: str
) -> None:
    answer = await send(browser, "/oauth/token", body, **client.basic)
    assert (answer.status, error_of(answer)) == (400, error)
    assert answer.headers["Pragma"] == "no-cache"


@pytest.mark.parametrize("content_type", [JSON, "multipart/form-data; boundary=a", "text/plain"])
async def test_what_is_no_form_is_refused(
    browser: FrontDoorBrowser, client: OAuthClient, content_type: str
) -> None:
    answer = await send(
        browser, "/oauth/token", json.dumps(MACHINE), Content_Type=content_type, **client.basic
    )
    assert (answer.status, error_of(answer)) == (400, "invalid_request")


async def test_a_form_that_is_too_large_is_refused(
    browser: FrontDoorBrowser, client: OAuthClient
) -> None:
    body = urlencode({**MACHINE, "scope": "a" * 70_000})
    answer = await send(browser, "/oauth/token", body, **client.basic)
    assert (answer.status, error_of(answer)) == (413, "invalid_request")


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
async def test_whoever_is_not_the_application_is_asked_for_a_credential(
    browser: FrontDoorBrowser, client: OAuthClient, path: str
) -> None:
    """RFC 6749, section 5.2: 401, with a challenge for the scheme that was used."""
    form = urlencode({**MACHINE, "token": "a"})
    wrong = base64.b64encode(f"{client.client_id}:wrong".encode()).decode()
    unknown = base64.b64encode(b"nobody:secret").decode()
    for headers in (
        {},
        {"Authorization": f"Basic {wrong}"},
        {"Authorization": f"Basic {unknown}"},
        {"Authorization": "Basic !"},
        {"Authorization": "Bearer abc"},
    ):
        answer = await send(browser, path, form, **headers)
        assert (answer.status, error_of(answer)) == (401, "invalid_client"), headers
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")


async def test_a_secret_in_the_address_is_not_looked_at(
    browser: FrontDoorBrowser, client: OAuthClient
) -> None:
    """RFC 6749, section 2.3.1."""
    credentials = {"client_id": client.client_id, "client_secret": client.client_secret}
    answer = await send(browser, f"/oauth/token?{urlencode(credentials)}", urlencode(MACHINE))
    assert (answer.status, error_of(answer)) == (401, "invalid_client")


async def test_a_token_in_the_address_is_not_looked_at(browser: FrontDoorBrowser) -> None:
    """OAuth 2.1, section 5.1."""
    answer = await browser.get("/oauth/userinfo?access_token=abc")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="portico"'


@pytest.mark.parametrize("token", ["abc", "a.b.c", "pk_test_abc"])
async def test_a_token_that_is_none_is_refused_with_the_reason(
    browser: FrontDoorBrowser, token: str
) -> None:
    """RFC 6750, section 3.1."""
    bearer = {"Authorization": f"Bearer {token}"}
    answer = await browser.send("GET", "/oauth/userinfo", None, bearer)
    assert (answer.status, error_of(answer)) == (401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


async def test_the_token_of_a_session_is_none_of_an_application(
    browser: FrontDoorBrowser, tenant: Tenant, client: OAuthClient
) -> None:
    bearer = {"Authorization": f"Bearer {tenant.client.token}"}
    answer = await browser.send("GET", "/oauth/userinfo", None, bearer)
    assert answer.status == 401
    token = {"token": tenant.client.token}
    assert await client.call(browser, "/oauth/introspect", token) == (200, {"active": False})


async def test_a_machine_is_no_person(browser: FrontDoorBrowser, client: OAuthClient) -> None:
    _, tokens = await client.call(browser, "/oauth/token", MACHINE)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    answer = await browser.send("GET", "/oauth/userinfo", None, bearer)
    assert answer.status in (401, 403)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_revoking_what_is_no_token_is_no_error(
    browser: FrontDoorBrowser, client: OAuthClient
) -> None:
    """RFC 7009, section 2.2."""
    for token in ("a", "a.b.c", "x" * 16_000):
        form = {"token": token, "token_type_hint": "something"}
        assert await client.call(browser, "/oauth/revoke", form) == (200, None)
    status, refused = await client.call(browser, "/oauth/revoke", {"token_type_hint": "a"})
    assert (status, refused["error"]) == (400, "invalid_request")


async def test_pages_of_other_origins_get_readable_errors_and_no_cookies_count(
    browser: FrontDoorBrowser,
) -> None:
    answer = await send(browser, "/oauth/token", "", **ELSEWHERE)
    assert answer.headers.getall("Access-Control-Allow-Origin") == ["*"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    page = await browser.get("/oauth/authorize", **ELSEWHERE)
    assert "Access-Control-Allow-Origin" not in page.headers


async def test_a_page_of_oauth_has_its_own_policy_through_the_gateway(
    browser: FrontDoorBrowser, client: OAuthClient, tenant: Tenant
) -> None:
    page = await consent(browser, client, tenant)
    [policy] = page.headers.getall("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "form-action" not in policy
    assert page.headers.getall("Referrer-Policy") == ["no-referrer"]
    assert page.headers.getall("X-Frame-Options") == ["DENY"]
    page = await browser.get("/oauth/authorize?client_id=nobody")
    assert page.status == 400
    assert page.title.startswith("The application has made a mistake")
    assert (await browser.get(CONSENT)).status == 400


async def test_discovery_and_keys_are_answered_while_the_core_is_down(
    browser: FrontDoorBrowser, client: OAuthClient, stack: Stack
) -> None:
    keys = (await browser.get("/.well-known/jwks.json")).body
    await stack.kill("core")
    try:
        for path in ("openid-configuration", "oauth-authorization-server"):
            answer = await browser.get(f"/.well-known/{path}", **ELSEWHERE)
            assert answer.status == 200
            assert json.loads(answer.body)["issuer"] == stack.base_url
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        answer = await browser.get("/.well-known/oauth-protected-resource")
        assert json.loads(answer.body)["resource"] == stack.base_url
        answer = await browser.get("/.well-known/jwks.json")
        assert (answer.status, answer.body) == (200, keys)
        answer = await send(browser, "/oauth/token", urlencode(MACHINE), **client.basic)
        assert (answer.status, error_of(answer)) == (503, "temporarily_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        page: Any = await browser.get(client.request())
        assert page.status == 503
    finally:
        await stack.start("core")


async def test_a_sign_out_at_one_application_is_told_to_it_by_the_workers(
    browser: FrontDoorBrowser, tenant: Tenant
) -> None:
    async with receiving() as receiver:
        body = {
            "name": "Difference Engine",
            "kind": "web",
            "redirectUris": ["https://app.example.com/callback"],
            "postLogoutRedirectUris": ["https://app.example.com/left"],
            "backchannelLogoutUri": receiver.url,
            "scopes": ["openid", "offline_access", "projects:read"],
        }
        path = f"/organizations/{tenant.organization_id}/applications"
        made = await tenant.client.call("POST", path, body, expect=201)
        application = made.get("application", made)
        client = OAuthClient(application["id"], made["clientSecret"])
        form = client.exchange(await code_for(browser, client, tenant))
        _, tokens = await client.call(browser, "/oauth/token", form)
        document = json.loads((await browser.get("/.well-known/openid-configuration")).body)
        assert document["backchannel_logout_session_supported"] is True
        assert document["end_session_endpoint"].endswith("/oauth/logout")
        sent = {
            "id_token_hint": tokens["id_token"],
            "post_logout_redirect_uri": "https://app.example.com/left",
            "state": "xyz",
        }
        answer = await settled(browser, await send(browser, "/oauth/logout", urlencode(sent)))
        assert answer.location == "https://app.example.com/left?state=xyz"
        assert (await browser.get("/account")).status == 303
        [request] = await receiver.got(1, within=20)
        [token] = parse_qs(request.body.decode())["logout_token"]
        key = jwt.PyJWKClient(document["jwks_uri"]).get_signing_key_from_jwt(token)
        said = jwt.decode(
            token, key.key, ["RS256"], audience=client.client_id, issuer=document["issuer"]
        )
        assert "nonce" not in said
        unverified = jwt.decode(tokens["id_token"], options={"verify_signature": False})
        assert said["sid"] == unverified["sid"]
        path = f"/applications/{client.client_id}/logouts"

        async def is_delivered() -> bool:
            listed = await tenant.client.call("GET", path, expect=200)
            return [each["status"] for each in listed] == ["delivered"]

        await eventually(is_delivered, 10)
