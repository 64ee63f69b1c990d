"""Headers at the edge: what is stripped from clients, what every answer carries, CORS."""

from __future__ import annotations

from edge.gateway.settings import GatewaySettings
from edge.gateway.typed import (
    Json,
    attribute,
    call,
    default_header,
    extension,
    number,
    set_header,
    typed,
)
from portico_kit.client_certificates import CERTIFICATE_HEADER, PROXY_SECRET_HEADER

# Names a client has no business sending: the edge itself says these things.
FORGEABLE_PREFIXES = ("x-auth-", "x-edge-", "x-envoy-", "x-forwarded-client-cert")

# Told by the edge to itself on the way back; never shown to a client.
INTERNAL_RESPONSE_HEADERS = (
    "x-edge-fault",
    "x-edge-path",
    "x-edge-refusal",
    "x-error-code",
    "x-error-message",
    "x-http-code",
    "x-envoy-upstream-service-time",
    "grpc-accept-encoding",
)

SECURITY_HEADERS = {
    "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-xss-protection": "0",
    "x-dns-prefetch-control": "off",
}
DEFAULT_HEADERS = {
    "referrer-policy": "strict-origin-when-cross-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}

EXPOSED_HEADERS = (
    "x-request-id",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-shadow",
    "x-ratelimit-status",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "etag",
    "location",
    "idempotent-replayed",
    "www-authenticate",
    "dpop-nonce",
    "deprecation",
    "sunset",
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
)

# Of the endpoints of OAuth, which pages of every origin call.
_EXPOSED_TO_ALL = ("x-request-id", "retry-after", "www-authenticate", "dpop-nonce")

ALLOWED_HEADERS = (
    "authorization",
    "dpop",
    "content-type",
    "x-api-key",
    "x-request-id",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "x-grpc-web",
    "x-user-agent",
    "grpc-timeout",
)

# What a request may bring: the names and values of its headers together, the path with its
# query among them, and their number. What is too large because of its path has a status of its own
# (RFC 9112, section 3, which wants 8,000 octets of a path to be taken).
MAX_HEADERS_BYTES = 16 * 1024
MAX_HEADERS = 100
LONG_TARGET_BYTES = 8 * 1024

_WELL_FORMED_ID = "^[A-Za-z0-9._:-]{1,128}$"

# The client's address behind the proxies that we trust. Filters and services further
# in see only the connection itself, so they are told.
CORS = "envoy.filters.http.cors"
EDGE_HEADERS = "edge_headers"
ADDRESS_HEADER = "x-edge-address"
# A token of the scheme DPoP, which request.lua has taken out of Authorization.
DPOP_CREDENTIAL_HEADER = "x-edge-dpop"
CLIENT_ADDRESS = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"

# The request's id; where the connection manager refuses a request before it has one, a new one.
REQUEST_ID = '%COALESCE({"operators":[{"command":"REQ","param":"X-REQUEST-ID"},"UNIQUE_ID"]})%'
# The same in the answer: once chosen it is read back, for a second look would give another.
ANSWERED_REQUEST_ID = (
    '%COALESCE({"operators":[{"command":"RESP","param":"X-REQUEST-ID"},"UNIQUE_ID"]})%'
)


def strip_forged(settings: GatewaySettings) -> Json:
    """Removes headers of ours from a request before anything else reads it.

    Those about certificates only where a proxy tells them; there, whoever reads them asks for
    the proxy's secret.
    """
    told = () if settings.proxy_secret else (CERTIFICATE_HEADER, PROXY_SECRET_HEADER)
    return extension(
        "strip_forged",
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[
            {"remove_on_match": {"key_matcher": {"prefix": prefix}}}
            for prefix in (*FORGEABLE_PREFIXES, *told)
        ],
    )


def forwarded_address(hops: int) -> Json:
    """Reads the client's address out of X-Forwarded-For as every proxy writes it.

    Envoy takes an address alone and believes the connection otherwise, which would charge
    all clients of a proxy to the proxy. Some write a port behind it or brackets around it.

    Args:
        hops: how many proxies are trusted; the address is that many entries from the end.
    """
    forms = r"(\d+\.\d+\.\d+\.\d+):\d+|\[([^\]]*)\](?::\d+)?|([^,]*?)"
    pattern = rf"^(?:.*,)?\s*(?:{forms})\s*((?:,[^,]*){{{hops - 1}}})$"
    header = 'request.headers["x-forwarded-for"]'
    extracted = rf're.extract({header}, r"{pattern}", r"\1\2\3\4")'
    # A pattern is dear, and most need none: addresses of one kind lack the marks of the other.
    plain = f'!{header}.contains("[") && !({header}.contains(":") && {header}.contains("."))'
    value = f"%CEL({plain} ? {header} : {extracted})%"
    mutation = {
        "header": {"key": "x-forwarded-for", "value": value},
        "append_action": "OVERWRITE_IF_EXISTS",
    }
    return extension(
        "forwarded_address",
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[{"append": mutation}],
    )


def request_id_filter() -> Json:
    """Replaces a request id that is too long or strange: it ends up in logs and answers."""
    replace = typed(
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": [{"append": set_header("x-request-id", "%UNIQUE_ID%")}]},
    )
    return skip_when("request_id", header_matches("x-request-id", _WELL_FORMED_ID), replace)


def form_filter() -> Json:
    """Refuses requests whose headers, path included, are too large, and those with several hosts.

    Envoy joins the values of several Host fields (RFC 9112, section 3.2: to be refused).
    The codec counts, too, but what it refuses over HTTP/2 is only reset. Its
    limits are higher, so that what the filters add never passes them; and what
    the core takes is more than both.
    """
    total = call("_>_", attribute("request", "total_size"), number(MAX_HEADERS_BYTES))
    many = call("_>_", call("size", attribute("request", "headers")), number(MAX_HEADERS))
    anything: Json = {"permissions": [{"any": True}], "principals": [{"any": True}]}
    several = {"name": ":authority", "string_match": {"contains": ","}}
    return extension(
        "request_form",
        "extensions.filters.http.rbac.v3.RBAC",
        rules={
            "action": "DENY",
            "policies": {
                "host": {**anything, "permissions": [{"header": several}]},
                "headers": {**anything, "condition": call("_||_", total, many)},
            },
        },
    )


def header_matches(name: str, matcher: str | Json) -> Json:
    """True for requests with a header whose value fits.

    Args:
        matcher: an RE2 pattern for all of the value, or a StringMatcher of Envoy's,
            `{"prefix": "ab"}`, which costs less.
    """
    header = extension(name, "type.matcher.v3.HttpRequestHeaderMatchInput", header_name=name)
    if isinstance(matcher, str):
        matcher = {"safe_regex": {"google_re2": {}, "regex": matcher}}
    return {"single_predicate": {"input": header, "value_match": matcher}}


def skip_when(name: str, predicate: Json, config: Json) -> Json:
    """A filter that steps aside for requests that match."""
    skip = extension("skip", "extensions.filters.common.matcher.action.v3.SkipFilter")
    return extension(
        name,
        "extensions.common.matching.v3.ExtensionWithMatcher",
        extension_config={"name": name, "typed_config": config},
        xds_matcher={
            "matcher_list": {"matchers": [{"predicate": predicate, "on_match": {"action": skip}}]}
        },
    )


def edge_headers_filter() -> Json:
    """What every request is told, what every answer carries, and what none shows.

    Stands first to see each of them.
    """
    return extension(
        EDGE_HEADERS,
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={
            "request_mutations": [{"append": set_header(ADDRESS_HEADER, CLIENT_ADDRESS)}],
            "response_mutations": [
                *({"append": header} for header in security_headers()),
                *({"remove": name} for name in INTERNAL_RESPONSE_HEADERS),
            ],
        },
    )


def security_headers(*without: str) -> list[Json]:
    """The security headers; answers are not stored unless the answer itself allows it.

    A page says itself what it loads, and to whom it says where people come from.

    Args:
        without: the defaults that have another value beside these. In one list Envoy adds a
            default even if an entry before it sets the header.
    """
    fixed = [set_header(name, value) for name, value in SECURITY_HEADERS.items()]
    usual = [
        default_header(name, value)
        for name, value in DEFAULT_HEADERS.items()
        if name not in without
    ]
    return [*fixed, *usual]


def pages_cors_policy() -> dict[str, Json]:
    """No other origin may read a page, not even one whose pages may call the API."""
    never = {"default_value": {"numerator": 0}}
    policy = typed("extensions.filters.http.cors.v3.CorsPolicy", filter_enabled=never)
    return {CORS: policy}


def other_origins() -> dict[str, Json]:
    """Lets pages of every origin read an answer, whoever makes it; never with cookies."""
    readable = {
        "access-control-allow-origin": "*",
        "access-control-expose-headers": ", ".join(_EXPOSED_TO_ALL),
    }
    return {EDGE_HEADERS: _on_answers(readable)}


def _on_answers(headers: dict[str, str]) -> Json:
    """Adds headers to the answers of a route, beside those that every answer carries."""
    mutations = [{"append": set_header(name, value)} for name, value in headers.items()]
    return typed(
        "extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
        mutations={"response_mutations": mutations},
    )


def cors_policy(settings: GatewaySettings) -> Json:
    """Lets the pages of the listed origins call us, with credentials."""
    return typed(
        "extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in settings.cors_origins],
        allow_methods="GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        allow_headers=", ".join(ALLOWED_HEADERS),
        expose_headers=", ".join(EXPOSED_HEADERS),
        max_age="600",
        allow_credentials=True,
        forward_not_matching_preflights=False,
    )
