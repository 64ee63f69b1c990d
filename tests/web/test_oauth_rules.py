"""The wire formats of OAuth without a server: forms, credentials, tokens, refusals, responses."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import grpc
import pytest
from portico.oauth.v1 import authorization_service_pb2 as authorizations

from edge.web.core_client import CoreError
from edge.web.oauth.bearer import read_token
from edge.web.oauth.client_credentials import ASSERTION_TYPE, read_client
from edge.web.oauth.errors import OAuthError, from_core, plain
from edge.web.oauth.parameters import Parameters, read_form, read_pairs
from edge.web.oauth.responses import LEADING_POLICY, address, is_safe
from edge.web.visit import POLICY

FORM = "application/x-www-form-urlencoded"


def parameters(text: str) -> Parameters:
    return Parameters(read_pairs(text))


def basic(text: str, scheme: str = "Basic") -> dict[str, str]:
    return {"Authorization": f"{scheme} {base64.b64encode(text.encode()).decode()}"}


def assertion(claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


# Forms (RFC 6749, section 3.2 and appendix B)


@pytest.mark.parametrize(
    "content_type",
    [
        FORM,
        f"{FORM}; charset=UTF-8",
        f"{FORM};charset=utf-8",
        f'{FORM}; charset="utf-8"',
        FORM.upper(),
    ],
)
def test_a_form_is_read(content_type: str) -> None:
    body = b"a=1+2&b=%C3%A9%2B&c&=d&e=f=g&&"
    pairs = read_form({"Content-Type": content_type}, body)
    assert pairs == [("a", "1 2"), ("b", "é+"), ("c", ""), ("", "d"), ("e", "f=g")]


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data; boundary=a", f"{FORM}; charset=utf-16", "text"],
)
def test_what_is_no_form_is_refused(content_type: str) -> None:
    with pytest.raises(OAuthError) as refused:
        read_form({"Content-Type": content_type}, b"a=b")
    assert refused.value.error == "invalid_request"


@pytest.mark.parametrize(
    "body",
    [b"a=%", b"a=%4", b"a=%zz", b"a=%FF", b"a=%C3%28", b"a=\xc3\xa9", b"%FF=a", b"a=%00"],
)
def test_a_form_that_is_malformed_is_refused(body: bytes) -> None:
    with pytest.raises(OAuthError) as refused:
        read_form({"Content-Type": FORM}, body)
    assert refused.value.error == "invalid_request"


def test_a_form_may_have_64_kib_and_a_hundred_parameters() -> None:
    largest = b"a=" + b"x" * (64 * 1024 - 2)
    assert read_form({"Content-Type": FORM}, largest)
    with pytest.raises(OAuthError) as refused:
        read_form({"Content-Type": FORM}, largest + b"x")
    assert refused.value.response().status == 413
    assert len(read_pairs("&".join(["a=b"] * 100))) == 100
    with pytest.raises(OAuthError):
        read_pairs("&".join(["a=b"] * 101))


@pytest.mark.parametrize("text", ["scope=a&scope=b", "code=a&code=a", "%73cope=a&scope=b"])
def test_a_parameter_that_is_there_twice_is_refused(text: str) -> None:
    with pytest.raises(OAuthError) as refused:
        parameters(text)
    assert refused.value.error == "invalid_request"


def test_resources_and_audiences_may_be_several() -> None:
    found = parameters("resource=https://a&resource=https://b&audience=c&audience=d")
    assert found.all("resource") == ["https://a", "https://b"]
    assert found.all("audience") == ["c", "d"]


def test_a_parameter_without_a_value_counts_as_absent_and_an_unknown_one_is_ignored() -> None:
    found = parameters("scope=&scope=openid&code=&foo=bar")
    assert found.get("scope") == "openid"
    assert "code" not in found
    with pytest.raises(OAuthError) as refused:
        found.require("code")
    assert refused.value.error == "invalid_request"


# Who an application is (RFC 6749, section 2.3)


def test_basic_is_form_encoded_before_it_is_encoded_once_more() -> None:
    client = read_client(basic("a%3Ab+c:p%2Bq%25+%C3%A9"), parameters(""))
    assert client.client_id == "a:b c"
    assert client.client_secret == "p+q% é"
    assert client.method == "client_secret_basic"


@pytest.mark.parametrize("scheme", ["basic", "BASIC"])
def test_the_scheme_has_no_case(scheme: str) -> None:
    assert read_client(basic("a:b", scheme), parameters("client_id=a")).client_id == "a"


def test_a_secret_may_have_colons() -> None:
    assert read_client(basic("a:b:c"), parameters("")).client_secret == "b:c"


@pytest.mark.parametrize(
    ("headers", "form", "method"),
    [
        (basic("a:b"), "", "client_secret_basic"),
        (basic("a:"), "", "none"),
        ({}, "client_id=a&client_secret=b", "client_secret_post"),
        ({}, "client_id=a", "none"),
        ({}, "client_id=a&client_secret=", "none"),
    ],
)
def test_the_method_is_what_was_used(headers: dict[str, str], form: str, method: str) -> None:
    client = read_client(headers, parameters(form))
    assert (client.client_id, client.method) == ("a", method)


@pytest.mark.parametrize("named", [True, False])
def test_an_assertion_names_its_application_itself(named: bool) -> None:
    signed = assertion({"sub": "a", "iss": "a"})
    form = f"client_assertion={signed}&client_assertion_type={ASSERTION_TYPE}"
    client = read_client({}, parameters(form + ("&client_id=a" if named else "")))
    assert client.client_id == "a"
    assert client.method == "private_key_jwt"
    assert client.client_assertion == signed


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        (basic("a:b"), "client_id=a&client_secret=b"),
        (basic("a:b"), "client_secret=b"),
        (basic("a:b"), f"client_assertion=x&client_assertion_type={ASSERTION_TYPE}"),
        ({}, f"client_id=a&client_secret=b&client_assertion_type={ASSERTION_TYPE}"),
        (basic("a:b"), "client_id=c"),
        ({}, "client_id=a&client_id=b&client_secret=c"),
    ],
)
def test_an_application_that_says_twice_who_it_is_is_refused(
    headers: dict[str, str], form: str
) -> None:
    with pytest.raises(OAuthError) as refused:
        read_client(headers, parameters(form))
    assert refused.value.error == "invalid_request"


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({}, ""),
        ({}, "client_secret=b"),
        ({"Authorization": ""}, ""),
        ({"Authorization": "Basic"}, ""),
        ({"Authorization": "Basic !!!"}, ""),
        ({"Authorization": "Basic YTpi Zm9v"}, ""),
        ({"Authorization": "Bearer YTpi"}, ""),
        ({"Authorization": "Basic " + base64.b64encode(b"a:\xff").decode()}, ""),
        (basic("ab"), ""),
        (basic(":b"), ""),
        (basic("a:%FF"), ""),
        ({}, "client_assertion=x"),
        ({}, "client_assertion=x.y.z&client_assertion_type=urn:other"),
        ({}, f"client_assertion=x&client_assertion_type={ASSERTION_TYPE}"),
        ({}, f"client_assertion=x.!.z&client_assertion_type={ASSERTION_TYPE}"),
        ({}, f"client_assertion={assertion([])}&client_assertion_type={ASSERTION_TYPE}"),
        ({}, f"client_assertion={assertion({})}&client_assertion_type={ASSERTION_TYPE}"),
        ({}, f"client_assertion={assertion({'sub': 1})}&client_assertion_type={ASSERTION_TYPE}"),
        ({}, f"client_id=a&client_assertion_type={ASSERTION_TYPE}"),
    ],
)
def test_an_application_that_does_not_say_who_it_is_is_asked_for_a_credential(
    headers: dict[str, str], form: str
) -> None:
    with pytest.raises(OAuthError) as refused:
        read_client(headers, parameters(form))
    answer = refused.value.response()
    assert refused.value.error == "invalid_client"
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


# Access tokens (RFC 6750, section 2)


@pytest.mark.parametrize(
    "header", ["Bearer a.b-c_d~e+f/g==", "bearer  a.b-c_d~e+f/g==", "BEARER a"]
)
def test_a_token_is_in_the_header(header: str) -> None:
    assert read_token({"Authorization": header}, None) == header.split()[1]


def test_a_token_may_be_in_a_form() -> None:
    assert read_token({}, parameters("access_token=a")) == "a"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer a b", "Bearer a,Bearer b", "Basic a"])
def test_what_is_no_token_is_refused_with_the_reason(header: str) -> None:
    with pytest.raises(OAuthError) as refused:
        read_token({"Authorization": header}, None)
    assert refused.value.response().status == 401
    assert 'error="invalid_token"' in refused.value.headers["WWW-Authenticate"]


def test_whoever_presents_nothing_is_told_only_what_is_wanted() -> None:
    with pytest.raises(OAuthError) as refused:
        read_token({}, parameters("a=b"))
    assert refused.value.response().status == 401
    assert refused.value.headers["WWW-Authenticate"] == 'Bearer realm="portico"'


def test_a_token_that_is_presented_twice_is_refused() -> None:
    with pytest.raises(OAuthError) as refused:
        read_token({"Authorization": "Bearer a"}, parameters("access_token=a"))
    assert refused.value.response().status == 400
    assert 'error="invalid_request"' in refused.value.headers["WWW-Authenticate"]


# Refusals (RFC 6749, section 5.2)


def content(error: OAuthError) -> dict[str, str]:
    body = error.response().body
    assert isinstance(body, bytes)
    found: dict[str, str] = json.loads(body)
    return found


@pytest.mark.parametrize(
    ("code", "reason", "status", "name"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "OAUTH_INVALID_GRANT", 400, "invalid_grant"),
        (grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT", 401, "invalid_client"),
        (grpc.StatusCode.INVALID_ARGUMENT, "OAUTH_INVALID_TARGET", 400, "invalid_target"),
        (grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR", 400, "invalid_request"),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "RATE_LIMIT_EXCEEDED",
            429,
            "temporarily_unavailable",
        ),
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", 503, "temporarily_unavailable"),
        (grpc.StatusCode.INTERNAL, "INTERNAL", 500, "server_error"),
    ],
)
def test_what_the_core_refuses_has_its_name_on_the_wire(
    code: grpc.StatusCode, reason: str, status: int, name: str
) -> None:
    error = from_core(CoreError(code, reason, retry_after=timedelta(seconds=2.5)))
    answer = error.response()
    assert answer.status == status
    assert content(error)["error"] == name
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert answer.content_type == "application/json"
    if status in (429, 503):
        assert answer.headers["Retry-After"] == "3"


def test_a_description_has_the_characters_that_it_may_have() -> None:
    assert plain('a"b\\c\r\nd é ✓~') == "a?b?c??d ? ?~"
    error = OAuthError("invalid_request", "x" * 2000)
    assert len(content(error)["error_description"]) == 500


# Responses (RFC 6749, section 4.1.2)


def response(uri: str, mode: str = "query", **values: str) -> authorizations.AuthorizationResponse:
    return authorizations.AuthorizationResponse(
        redirect_uri=uri,
        response_mode=mode,
        parameters=[authorizations.Parameter(name=n, value=v) for n, v in values.items()],
    )


@pytest.mark.parametrize(
    ("uri", "mode", "expected"),
    [
        ("https://a.example/cb", "query", "https://a.example/cb?code=c&state=%26+%23%0A"),
        ("https://a.example/cb?x=1", "query", "https://a.example/cb?x=1&code=c&state=%26+%23%0A"),
        ("https://a.example/cb?", "query", "https://a.example/cb?code=c&state=%26+%23%0A"),
        ("https://a.example/cb", "fragment", "https://a.example/cb#code=c&state=%26+%23%0A"),
        ("com.example.app:/cb", "query", "com.example.app:/cb?code=c&state=%26+%23%0A"),
        ("http://127.0.0.1:9/", "query", "http://127.0.0.1:9/?code=c&state=%26+%23%0A"),
    ],
)
def test_the_parameters_are_added_to_the_redirect_uri(uri: str, mode: str, expected: str) -> None:
    assert address(response(uri, mode, code="c", state="& #\n")) == expected


@pytest.mark.parametrize(
    "uri", ["https://a.example/", "http://127.0.0.1:1/", "com.example.app:/a", "app://a"]
)
def test_a_browser_can_be_sent_to_a_web_address_or_an_app(uri: str) -> None:
    assert is_safe(uri)


@pytest.mark.parametrize(
    "uri",
    ["javascript:alert(1)", "JavaScript:a", "data:text/html,a", "vbscript:a", "file:///a", "a", ""],
)
def test_a_browser_is_sent_to_nothing_that_it_would_run(uri: str) -> None:
    assert not is_safe(uri)


def test_the_pages_that_lead_to_an_application_say_nothing_of_where_forms_go() -> None:
    """The callback leads on: to another host, or to the scheme of an app."""
    assert "form-action" in POLICY
    assert "form-action" not in LEADING_POLICY
    assert set(POLICY.split("; ")) - set(LEADING_POLICY.split("; ")) == {"form-action 'self'"}
