"""The pages beside the API: what reaches them, what it costs, and what is shown without them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.gateway.error_pages import POLICY
from edge.web.paths import PAGE_PATHS
from portico_contract import Contract
from portico_contract.limit_categories import LimitCategory
from tests.gateway.backends import PAGE_POLICY, Backends, refused
from tests.gateway.gateway import Gateway, running, settings_for
from tests.support.http import HttpResponse

ADDRESS = ("address", "127.0.0.1")
FORM = {"content-type": "application/x-www-form-urlencoded"}
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PATHS = [page.path for page in PAGE_PATHS]
FORMS = [page.path for page in PAGE_PATHS if page.form is not None]
# Which method of the API does what the form does; what is not here costs a write.
SAME_AS = {
    "/sign-in": "Login",
    "/sign-in/verify": "CompleteChallenge",
    "/sign-in/passkey": "SignInWithPasskey",
    "/sign-in/with": "BeginFederatedSignIn",
    "/sign-in/single-sign-on": "BeginFederatedSignIn",
    "/step-up": "CompleteChallenge",
    "/register": "Register",
    "/verify-email": "VerifyEmail",
    "/forgot-password": "ForgotPassword",
    "/reset-password": "ResetPassword",
}


@pytest.fixture
async def without_pages(backends: Backends) -> AsyncIterator[None]:
    """The process of the pages is away."""
    await backends.stop_pages()
    yield
    await backends.start_pages()


def assert_page(answer: HttpResponse, status: int) -> None:
    """An error page that depends on nothing else."""
    assert answer.status == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers.getall("content-security-policy") == [POLICY]
    assert answer.headers.getall("referrer-policy") == ["no-referrer"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
    assert answer.body.startswith(b"<!doctype html>")


async def form(gateway: Gateway, path: str, **headers: str) -> HttpResponse:
    """Sends a form."""
    return await gateway.call("POST", path, headers={**FORM, **headers}, data=b"a=b")


@pytest.mark.parametrize("path", [*PATHS, "/account/sessions", "/assets/style-1.css"])
async def test_a_page_is_served(gateway: Gateway, backends: Backends, path: str) -> None:
    answer = await gateway.get(f"{path}?a=b")
    assert answer.status == 200
    assert f"<p>{path}</p>".encode() in answer.body
    [request] = backends.pages
    assert request.headers["x-edge-address"] == "127.0.0.1"
    assert request.headers["x-request-id"] == answer.headers["x-request-id"]
    assert backends.calls == []
    assert backends.checks == []
    assert backends.charges == []


async def test_a_page_says_itself_what_it_loads_and_gets_the_other_security_headers(
    gateway: Gateway,
) -> None:
    answer = await gateway.get("/sign-in")
    assert answer.headers.getall("content-security-policy") == [PAGE_POLICY]
    assert answer.headers.getall("referrer-policy") == ["no-referrer"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["strict-transport-security"]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_page_is_compressed(gateway: Gateway) -> None:
    answer = await gateway.get("/sign-in", headers={"accept-encoding": "br"})
    assert answer.headers["content-encoding"] == "br"


async def test_head_has_the_headers_of_get_and_no_body(gateway: Gateway) -> None:
    get = await gateway.get("/sign-in")
    head = await gateway.call("HEAD", "/sign-in")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-type", "content-security-policy", "cache-control"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_is_charged_to_the_address_like_the_method_of_the_api(
    gateway: Gateway, backends: Backends, contract: Contract, path: str
) -> None:
    methods = {method.name: method.category for method in contract.routed}
    category = methods[SAME_AS[path]] if path in SAME_AS else LimitCategory.WRITE
    if category is LimitCategory.PASSWORD_RESET:
        category = LimitCategory.WRITE  # the core charges the address of the mail
    answer = await form(gateway, path)
    assert answer.status == 200
    [request] = backends.charges
    [descriptor] = request.descriptors
    charged = [(entry.key, entry.value) for entry in descriptor.entries]
    assert charged == [ADDRESS, ("category", category.value)]


async def test_a_form_too_many_is_a_page_that_says_when_to_come_back(
    gateway: Gateway, backends: Backends
) -> None:
    backends.limit_decision = refused
    answer = await form(gateway, "/sign-in")
    assert_page(answer, 429)
    assert answer.headers["retry-after"] == "7"
    assert b"Too many attempts" in answer.body
    assert b"Zu viele Versuche" in answer.body
    assert backends.pages == []


async def test_without_the_pages_process_a_page_says_so(
    gateway: Gateway, without_pages: None
) -> None:
    answer = await gateway.get("/sign-in")
    assert_page(answer, 503)
    assert answer.headers["retry-after"]
    assert_page(await form(gateway, "/account/profile"), 503)


async def test_the_pages_come_back(gateway: Gateway, backends: Backends) -> None:
    await backends.stop_pages()
    assert (await gateway.get("/sign-in")).status == 503
    await backends.start_pages()
    await gateway.becomes(200, "/sign-in")


@pytest.mark.parametrize("verb", ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"])
async def test_other_verbs_are_405(gateway: Gateway, backends: Backends, verb: str) -> None:
    answer = await gateway.call(verb, "/account/sessions")
    assert_page(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert backends.pages == []


async def test_what_takes_no_form_says_so(gateway: Gateway) -> None:
    answer = await form(gateway, "/")
    assert_page(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/nope", "/sign-in/", "/sign-inx", "/accountx", "/favicon.ico"])
async def test_a_browser_that_is_lost_sees_a_page(gateway: Gateway, path: str) -> None:
    assert_page(await gateway.get(path, headers=BROWSER), 404)


async def test_a_program_that_is_lost_gets_json(gateway: Gateway) -> None:
    answer = await gateway.get("/nope")
    assert answer.error["code"] == "NOT_FOUND"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/nope", 404),
        ("/api/v1/users/me", 401),
        ("/.well-known/nope", 404),
        ("/portico.users.v1.UserService/GetMe", 415),
    ],
)
async def test_the_api_answers_browsers_with_json_as_before(
    gateway: Gateway, path: str, status: int
) -> None:
    answer = await gateway.get(path, headers=BROWSER)
    assert answer.status == status
    assert answer.error


async def test_headers_that_are_too_large_are_refused_with_a_page(gateway: Gateway) -> None:
    assert_page(await gateway.get("/sign-in", headers={"x-large": "a" * 17_000}), 431)


async def test_a_page_is_for_no_other_origin_not_even_one_that_may_call_the_api(
    gateway: Gateway,
) -> None:
    answer = await gateway.get("/account", headers={"origin": "https://app.example.com"})
    assert "access-control-allow-origin" not in answer.headers
    preflight = {
        "origin": "https://app.example.com",
        "access-control-request-method": "POST",
    }
    answer = await gateway.call("OPTIONS", "/account", headers=preflight)
    assert "access-control-allow-origin" not in answer.headers
    assert answer.status == 405


@pytest.mark.parametrize("name", ["x-edge-address", "x-edge-user-agent"])
async def test_nobody_says_of_themselves_what_only_the_edge_may(
    gateway: Gateway, backends: Backends, name: str
) -> None:
    await gateway.get("/sign-in", headers={name: "203.0.113.9"})
    [request] = backends.pages
    assert request.headers.get(name) != "203.0.113.9"


async def test_a_key_of_the_api_stays_out_of_the_pages(
    gateway: Gateway, backends: Backends
) -> None:
    answer = await gateway.get("/account", headers={"x-api-key": "pk_test_good"})
    assert answer.status == 200
    [request] = backends.pages
    assert "x-api-key" not in request.headers
    assert backends.checks == []


async def test_a_page_that_takes_too_long_is_ended(short_folder: Path) -> None:
    folder = short_folder / "slow-pages"
    folder.mkdir()
    backends = Backends(folder)
    await backends.start()
    await backends.stop_pages()
    (folder / "web.sock").unlink(missing_ok=True)
    try:
        async with running(settings_for(folder, request_timeout=0.5)) as gateway:
            assert_page(await gateway.get("/sign-in"), 503)
    finally:
        await backends.stop()
