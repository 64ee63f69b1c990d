"""Routes: one exact path for each RPC, which carries its whole policy.

A REST call first matches a carrier, is transcoded, and then matches the route
of its RPC. Internal methods have no route, so for the outside they are not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edge.gateway.clusters import STREAMS
from edge.gateway.credentials import (
    ACCESS_METADATA,
    access_metadata,
    credential_policy,
    unguarded,
)
from edge.gateway.headers import DPOP_CREDENTIAL_HEADER, cors_policy
from edge.gateway.launcher import STOPPING
from edge.gateway.limits import limit_policy
from edge.gateway.oauth import endpoint_routes
from edge.gateway.pages import page_routes
from edge.gateway.paths import allow, bindings, path_table, shadowed_verbs, verbs_by_template
from edge.gateway.settings import GatewaySettings
from edge.gateway.streams import stream_routes
from edge.gateway.transcoding import untranscoded
from edge.gateway.typed import Json, default_header, seconds, set_header
from portico_contract import Binding, Method
from portico_contract.limit_categories import LimitCategory
from portico_kit.client_certificates import CERTIFICATE_HEADER, PROXY_SECRET_HEADER

READY_PATH = "/api/v1/health/ready"
OPENAPI_PATH = "/api/v1/openapi.json"
LUA = "envoy.filters.http.lua"
STREAM_MARGIN_SECONDS = 5.0

_OPENAPI = Binding("GET", OPENAPI_PATH, has_body=False, response_field="", answers_head=True)
_OPENAPI_MAX_BYTES = 4 * 1024 * 1024


def route_config(methods: Sequence[Method], settings: GatewaySettings) -> Json:
    """Every route of the public listener, the most exact first."""
    return {
        "name": "public",
        "max_direct_response_body_size_bytes": _OPENAPI_MAX_BYTES,
        # Exchanged for a token by now; a secret goes no further than it must.
        "request_headers_to_remove": ["x-api-key", DPOP_CREDENTIAL_HEADER],
        "virtual_hosts": [
            {
                "name": "public",
                "domains": ["*"],
                "typed_per_filter_config": {"envoy.filters.http.cors": cors_policy(settings)},
                # The envelope shows it; what the core answers does not know it.
                "response_headers_to_add": [set_header("x-request-id", "%REQ(X-REQUEST-ID)%")],
                "routes": [
                    _openapi(settings),
                    *_stopping(methods, settings),
                    *(rpc_route(method, settings) for method in methods),
                    *endpoint_routes(settings, LUA),
                    *stream_routes(methods, settings, LUA),
                    *_literal_paths(methods, settings),
                    *_carriers(methods),
                    *page_routes(settings, LUA),
                    _not_found(settings),
                ],
            }
        ],
    }


def _stopping(methods: Sequence[Method], settings: GatewaySettings) -> list[Json]:
    """Calls the platform not ready, as soon as the gateway is asked to stop."""
    never = {"default_value": {"numerator": 0}, "runtime_key": STOPPING}
    return [
        {
            "name": "stopping",
            "match": {"path": method.path, "runtime_fraction": never},
            "direct_response": {"status": 503},
            "typed_per_filter_config": {
                **credential_policy(method, settings),
                **limit_policy(method),
            },
        }
        for method in methods
        if method.rest is not None and method.rest.template == READY_PATH
    ]


def rpc_route(method: Method, settings: GatewaySettings) -> Json:
    """The route of one RPC."""
    action: Json = {
        "cluster": "core",
        # The core must not meet what a client calls the host: it refuses an empty one.
        "host_rewrite_literal": "core",
        "max_stream_duration": _duration(_longest(method, settings)),
    }
    if method.streaming:
        # A cluster of its own: open streams take nothing from the calls' allowance, and a stop
        # can tell them apart. A stream may be silent.
        action.update({"cluster": STREAMS, "idle_timeout": "0s"})
    elif method.timeout is not None:
        # The usual idle time would cut a longer call.
        action["idle_timeout"] = seconds(method.timeout + STREAM_MARGIN_SECONDS)
    if method.category is LimitCategory.READ:
        action["retry_policy"] = {
            "retry_on": "connect-failure,reset-before-request,unavailable",
            "num_retries": 1,
        }
    deadline = default_header("grpc-timeout", _milliseconds(_longest(method, settings)))
    return {
        "name": method.full_name,
        # By path alone: a match on gRPC would hide the route from gRPC-Web.
        "match": {"path": method.path},
        "route": action,
        # REST callers name no deadline; the core must not work for one who has gone.
        "request_headers_to_add": [deadline],
        # edge/authorize has looked at it. The token endpoint, which is no method, reads its own.
        "request_headers_to_remove": ["dpop", CERTIFICATE_HEADER, PROXY_SECRET_HEADER],
        "metadata": {
            "filter_metadata": {LUA: envelope(method), ACCESS_METADATA: access_metadata(method)}
        },
        "typed_per_filter_config": {
            **credential_policy(method, settings),
            **limit_policy(method),
        },
    }


def _longest(method: Method, settings: GatewaySettings) -> float:
    """How long a call may take, in seconds; see the option `timeout` of the contract.

    A stream is ended by the core, which can say so; the gateway ends what it leaves open.
    """
    longest = method.timeout or settings.request_timeout
    return longest + STREAM_MARGIN_SECONDS if method.streaming else longest


def _duration(longest: float) -> Json:
    """How long a call may take, from its first byte on, whatever it waits for.

    Envoy ignores a route's `timeout` beside this, and takes the second value for
    requests that name a deadline alone: a caller may ask for less time, not for more.
    """
    return {"max_stream_duration": seconds(longest), "grpc_timeout_header_max": seconds(longest)}


def _milliseconds(longest: float) -> str:
    return f"{round(longest * 1000)}m"


def envelope(method: Method) -> Json:
    """What envelope.lua needs to know of a method."""
    if not method.enveloped:
        return {"raw": True}
    shape: Json = {"status": method.status}
    if method.list_field:
        shape["list"] = _json_name(method, method.list_field)
    if method.rest is not None and method.rest.response_field:
        shape["field"] = _json_name(method, method.rest.response_field)
    return shape


def _json_name(method: Method, field: str) -> str:
    return str(method.output.fields_by_name[field].json_name)


def _literal_paths(methods: Sequence[Method], settings: GatewaySettings) -> list[Json]:
    """Keeps verbs from literal paths that the transcoder would give to a template."""
    forms = bindings(methods)
    verbs = verbs_by_template(forms)
    return [
        {
            "name": f"not_allowed{path}",
            "match": {
                "safe_regex": {"regex": f"{re.escape(path)}/?"},
                "headers": [_verb_in(shadowed)],
            },
            "direct_response": {"status": 405},
            "response_headers_to_add": [set_header("allow", allow(verbs[path]))],
            "typed_per_filter_config": {**unguarded(), **untranscoded(settings)},
        }
        for path, shadowed in shadowed_verbs(forms).items()
    ]


def _verb_in(verbs: Iterable[str]) -> Json:
    pattern = "|".join(sorted(verbs))
    return {"name": ":method", "string_match": {"safe_regex": {"regex": pattern}}}


def _carriers(methods: Sequence[Method]) -> list[Json]:
    """What REST calls match before transcoding; real routes, so that CORS works.

    gRPC is kept out: it would reach the core under a path without a policy.
    """
    table = path_table([*bindings(methods), _OPENAPI])
    prefixes = sorted({f"/{form.template.split('/')[1]}/" for form in bindings(methods)})
    not_grpc = {
        "name": "content-type",
        "string_match": {"prefix": "application/grpc"},
        "invert_match": True,
        "treat_missing_header_as_empty": True,
    }
    return [
        {
            "name": f"rest{prefix}",
            "match": {"prefix": prefix, "headers": [not_grpc]},
            "route": {"cluster": "core"},
            "metadata": {"filter_metadata": {LUA: {"paths": table}}},
        }
        for prefix in prefixes
    ]


def _openapi(settings: GatewaySettings) -> Json:
    """The description of the API, for anyone, from any page, and to be kept for a while."""
    return {
        "name": "openapi",
        "match": {
            "path": OPENAPI_PATH,
            "headers": [_verb_in(["GET", "HEAD"])],
        },
        "direct_response": {"status": 200, "body": {"filename": str(settings.openapi_file)}},
        "response_headers_to_add": [
            set_header("content-type", "application/json"),
            set_header("cache-control", "public, max-age=300"),
            set_header("access-control-allow-origin", "*"),
        ],
        "typed_per_filter_config": {**unguarded(), **untranscoded(settings)},
    }


def _not_found(settings: GatewaySettings) -> Json:
    return {
        "name": "not_found",
        "match": {"prefix": "/"},
        "direct_response": {"status": 404},
        "typed_per_filter_config": {**unguarded(), **untranscoded(settings)},
    }
