"""The routes of what programs call in the wire formats of OAuth and OpenID Connect.

They lead to the process of the pages, which speaks these formats. Above the routes of REST, of
which one covers all of /.well-known/; each is one exact path.
"""

from __future__ import annotations

from edge.gateway.headers import other_origins
from edge.gateway.limits import form_limit_policy
from edge.gateway.pages import CLUSTER, without_the_apis_filters
from edge.gateway.settings import GatewaySettings
from edge.gateway.typed import Json, seconds, set_header
from edge.web.paths import ENDPOINT_PATHS, KEY_SET, EndpointPath


def endpoint_routes(settings: GatewaySettings, lua: str) -> list[Json]:
    """For each endpoint the verbs that it takes, the answer to preflights, and 405 for others.

    Args:
        lua: the name of the filter that wraps answers of the API.
    """
    without = without_the_apis_filters(settings, lua)
    return [route for path in ENDPOINT_PATHS for route in _routes(path, without, settings)]


def _routes(path: EndpointPath, without: dict[str, Json], settings: GatewaySettings) -> list[Json]:
    filters = {**without, **(other_origins() if path.any_origin else {})}
    routes = [_call(path, filters, settings)]
    if path.any_origin:
        routes.append(_preflight(path, filters))
    # The keys are a method of the API, too, whose routes answer every other verb.
    return routes if path.path == KEY_SET else [*routes, _not_allowed(path, filters)]


def _call(path: EndpointPath, filters: dict[str, Json], settings: GatewaySettings) -> Json:
    action: Json = {"cluster": CLUSTER, "timeout": seconds(settings.request_timeout)}
    if "POST" not in path.verbs:
        action["retry_policy"] = {
            "retry_on": "connect-failure,reset-before-request",
            "num_retries": 1,
        }
    limits = {} if path.limit is None else form_limit_policy(path.limit)
    return {
        "name": f"oauth{path.path}",
        "match": _match(path, *path.verbs),
        "route": action,
        "typed_per_filter_config": {**filters, **limits},
    }


def _preflight(path: EndpointPath, filters: dict[str, Json]) -> Json:
    return {
        "name": f"preflight{path.path}",
        "match": _match(path, "OPTIONS"),
        "direct_response": {"status": 204},
        "response_headers_to_add": [
            set_header("access-control-allow-methods", ", ".join(path.verbs)),
            set_header("access-control-allow-headers", "authorization, content-type, dpop"),
            set_header("access-control-max-age", "7200"),
            _allow(path),
        ],
        "typed_per_filter_config": filters,
    }


def _not_allowed(path: EndpointPath, filters: dict[str, Json]) -> Json:
    return {
        "name": f"not_allowed{path.path}",
        "match": {"path": path.path},
        "direct_response": {"status": 405},
        "response_headers_to_add": [_allow(path)],
        "typed_per_filter_config": filters,
    }


def _allow(path: EndpointPath) -> Json:
    verbs = (*path.verbs, "OPTIONS") if path.any_origin else path.verbs
    return set_header("allow", ", ".join(sorted(verbs)))


def _match(path: EndpointPath, *verbs: str) -> Json:
    pattern = {"safe_regex": {"regex": "|".join(verbs)}}
    return {"path": path.path, "headers": [{"name": ":method", "string_match": pattern}]}
