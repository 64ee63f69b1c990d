"""The endpoints of OAuth beside the API: what reaches them, from where, and what is refused how."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from edge.web.paths import ENDPOINT_PATHS, EndpointPath
from tests.gateway.backends import Backends, refused
from tests.gateway.gateway import Gateway
from tests.support.http import HttpResponse

ADDRESS = ("address", "127.0.0.1")
FORM = {"content-type": "application/x-www-form-urlencoded"}
ELSEWHERE = {"origin": "https://app.example.com"}
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
POSTS = [each for each in ENDPOINT_PATHS if "POST" in each.verbs]
READS = [each for each in ENDPOINT_PATHS if "GET" in each.verbs]
OPEN = [each for each in ENDPOINT_PATHS if each.any_origin]


@pytest.fixture
async def without_pages(backends: Backends) -> AsyncIterator[None]:
    """The process that speaks these formats is away."""
    await backends.stop_pages()
    yield
    await backends.start_pages()


async def call(gateway: Gateway, endpoint: EndpointPath, **headers: str) -> HttpResponse:
    """One call with the verb that the endpoint has first."""
    verb = endpoint.verbs[0]
    if verb == "POST":
        return await gateway.call(verb, endpoint.path, headers={**FORM, **headers}, data=b"a=b")
    return await gateway.call(verb, endpoint.path, headers=headers)


@pytest.mark.parametrize("endpoint", ENDPOINT_PATHS, ids=lambda each: each.path)
async def test_an_endpoint_is_served_and_the_core_is_not_asked(
    gateway: Gateway, backends: Backends, endpoint: EndpointPath
) -> None:
    answer = await call(gateway, endpoint)
    assert answer.status == 200
    assert f"<p>{endpoint.path}</p>".encode() in answer.body
    [request] = backends.pages
    assert request.headers["x-edge-address"] == "127.0.0.1"
    assert request.headers["x-request-id"] == answer.headers["x-request-id"]
    assert backends.calls == []
    assert backends.checks == []


@pytest.mark.parametrize(
    "credential", ["Basic YTpi", "Bearer a.b.c", "Bearer pk_test_a", "DPoP abc", "bearer  x"]
)
@pytest.mark.parametrize("endpoint", POSTS, ids=lambda each: each.path)
async def test_a_credential_goes_through_as_it_is(
    gateway: Gateway, backends: Backends, endpoint: EndpointPath, credential: str
) -> None:
    await call(gateway, endpoint, authorization=credential)
    [request] = backends.pages
    assert request.headers.getall("authorization") == [credential]
    assert "x-api-key" not in request.headers


@pytest.mark.parametrize("forged", ["x-edge-address", "x-auth-subject", "x-api-key"])
async def test_what_only_the_edge_says_does_not_go_through(
    gateway: Gateway, backends: Backends, forged: str
) -> None:
    await call(gateway, POSTS[0], **{forged: "203.0.113.9"})
    [request] = backends.pages
    assert request.headers.get(forged) != "203.0.113.9"


@pytest.mark.parametrize("endpoint", ENDPOINT_PATHS, ids=lambda each: each.path)
async def test_a_call_is_charged_to_the_address(
    gateway: Gateway, backends: Backends, endpoint: EndpointPath
) -> None:
    await call(gateway, endpoint)
    charged = [
        [(entry.key, entry.value) for entry in descriptor.entries]
        for request in backends.charges
        for descriptor in request.descriptors
    ]
    limit = endpoint.limit
    assert charged == ([] if limit is None else [[ADDRESS, ("category", limit.value)]])


@pytest.mark.parametrize("endpoint", OPEN, ids=lambda each: each.path)
async def test_pages_of_every_origin_may_read_an_answer_and_send_no_cookie(
    gateway: Gateway, endpoint: EndpointPath
) -> None:
    answer = await call(gateway, endpoint, **ELSEWHERE)
    assert answer.headers.getall("access-control-allow-origin") == ["*"]
    assert "access-control-allow-credentials" not in answer.headers
    assert "www-authenticate" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("endpoint", OPEN, ids=lambda each: each.path)
async def test_a_preflight_is_answered_and_charged_to_nobody(
    gateway: Gateway, backends: Backends, endpoint: EndpointPath
) -> None:
    asked = {
        **ELSEWHERE,
        "access-control-request-method": endpoint.verbs[0],
        "access-control-request-headers": "authorization,content-type",
    }
    answer = await gateway.call("OPTIONS", endpoint.path, headers=asked)
    assert answer.status == 204
    assert answer.headers.getall("access-control-allow-origin") == ["*"]
    assert endpoint.verbs[0] in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    assert backends.pages == []
    assert backends.charges == []


async def test_introspection_is_for_servers(gateway: Gateway) -> None:
    [introspect] = [each for each in ENDPOINT_PATHS if not each.any_origin]
    answer = await call(gateway, introspect, **ELSEWHERE)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("endpoint", "verb"),
    [
        pytest.param(endpoint, verb, id=f"{endpoint.path}-{verb}")
        for endpoint in ENDPOINT_PATHS
        for verb in ("PUT", "DELETE", "PATCH", "PROPFIND")
        if verb not in endpoint.verbs
    ],
)
async def test_a_wrong_verb_is_405_and_says_which_are_right(
    gateway: Gateway, backends: Backends, endpoint: EndpointPath, verb: str
) -> None:
    answer = await gateway.call(verb, endpoint.path)
    assert answer.status == 405
    named = set(answer.headers["allow"].split(", "))
    assert named - {"OPTIONS"} == set(endpoint.verbs)
    assert backends.pages == []


async def test_a_token_is_not_to_be_had_by_get(gateway: Gateway) -> None:
    answer = await gateway.get("/oauth/token?grant_type=client_credentials", headers=BROWSER)
    assert answer.status == 405
    assert answer.json["error"] == "invalid_request"


async def test_a_call_too_many_has_the_error_shape_of_oauth(
    gateway: Gateway, backends: Backends
) -> None:
    backends.limit_decision = refused
    answer = await call(gateway, POSTS[0], **ELSEWHERE)
    assert answer.status == 429
    assert answer.json["error"] == "temporarily_unavailable"
    assert set(answer.json) == {"error", "error_description"}
    assert answer.headers["retry-after"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.usefixtures("without_pages")
@pytest.mark.parametrize("headers", [{}, BROWSER])
async def test_an_outage_has_the_error_shape_of_oauth(
    gateway: Gateway, headers: dict[str, str]
) -> None:
    answer = await call(gateway, POSTS[0], **headers)
    assert answer.status == 503
    assert answer.json["error"] == "temporarily_unavailable"
    assert answer.headers["retry-after"]


async def test_nothing_below_or_beside_an_endpoint_is_served(
    gateway: Gateway, backends: Backends
) -> None:
    for path in ("/oauth/token/", "/oauth/token/x", "/oauth/", "/oauth", "/oauth/tokens"):
        assert (await gateway.get(path)).status == 404, path
    assert backends.pages == []


@pytest.mark.parametrize("path", ["/oauth%2ftoken", "/oauth/%74oken", "//oauth//token"])
async def test_an_endpoint_has_one_policy_however_its_path_is_written(
    gateway: Gateway, backends: Backends, path: str
) -> None:
    answer = await gateway.call("POST", path, headers=FORM, data=b"a=b")
    reached = [request.path for request in backends.pages]
    assert reached == (["/oauth/token"] if answer.status == 200 else [])
    assert len(backends.charges) == len(reached)


async def test_grpc_reaches_no_endpoint_as_a_form(gateway: Gateway, backends: Backends) -> None:
    headers = {"content-type": "application/grpc"}
    await gateway.call("POST", "/portico.oauth.v1.TokenService/IssueToken", headers=headers)
    assert backends.calls == []


@pytest.mark.parametrize("endpoint", READS, ids=lambda each: each.path)
async def test_head_has_the_headers_of_get_and_no_body(
    gateway: Gateway, endpoint: EndpointPath
) -> None:
    head = await gateway.call("HEAD", endpoint.path)
    assert (head.status, head.body) == (200, b"")
