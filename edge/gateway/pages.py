"""The routes of the pages: HTTP to the process that serves them, past everything that is the API's.

They stand below all routes of the API, so that none of its calls is compared with them.
"""

from __future__ import annotations

from edge.gateway.bodies import BODY
from edge.gateway.credentials import unguarded
from edge.gateway.headers import pages_cors_policy
from edge.gateway.limits import form_limit_policy
from edge.gateway.settings import GatewaySettings
from edge.gateway.transcoding import untranscoded
from edge.gateway.typed import Json, seconds, set_header, typed
from edge.web.paths import PAGE_PATHS, PagePath

CLUSTER = "web"
_READS = ("GET", "HEAD")


def page_routes(settings: GatewaySettings, lua: str) -> list[Json]:
    """For each page the verbs that it takes, and 405 for all others.

    Args:
        lua: the name of the filter that wraps answers of the API.
    """
    without = without_the_apis_filters(settings, lua)
    return [route for page in PAGE_PATHS for route in _routes(page, without, settings)]


def _routes(page: PagePath, without: dict[str, Json], settings: GatewaySettings) -> list[Json]:
    takes = (*_READS, "POST") if page.form is not None else _READS
    routes = [_read(page, without, settings)]
    if page.form is not None:
        routes.append(_form(page, {**without, **form_limit_policy(page.form)}, settings))
    return [*routes, _not_allowed(page, takes, without)]


def _read(page: PagePath, filters: dict[str, Json], settings: GatewaySettings) -> Json:
    action = _to_the_pages(settings)
    action["retry_policy"] = {"retry_on": "connect-failure,reset-before-request", "num_retries": 1}
    return {
        "name": f"page{page.path}",
        "match": _match(page, *_READS),
        "route": action,
        "typed_per_filter_config": filters,
    }


def _form(page: PagePath, filters: dict[str, Json], settings: GatewaySettings) -> Json:
    return {
        "name": f"form{page.path}",
        "match": _match(page, "POST"),
        "route": _to_the_pages(settings),
        "typed_per_filter_config": filters,
    }


def _not_allowed(page: PagePath, takes: tuple[str, ...], filters: dict[str, Json]) -> Json:
    return {
        "name": f"not_allowed{page.path}",
        "match": _match(page),
        "direct_response": {"status": 405},
        "response_headers_to_add": [set_header("allow", ", ".join(takes))],
        "typed_per_filter_config": filters,
    }


def _match(page: PagePath, *verbs: str) -> Json:
    path = {"path_separated_prefix": page.path} if page.below else {"path": page.path}
    if not verbs:
        return path
    pattern = {"safe_regex": {"regex": "|".join(verbs)}}
    return {**path, "headers": [{"name": ":method", "string_match": pattern}]}


def _to_the_pages(settings: GatewaySettings) -> Json:
    return {"cluster": CLUSTER, "timeout": seconds(settings.request_timeout)}


def without_the_apis_filters(settings: GatewaySettings, lua: str) -> dict[str, Json]:
    """No credential of the API is looked at, no body is JSON, no answer gets an envelope, and no
    other origin may read one: pages are for people, and know them by a cookie."""
    off = typed("extensions.filters.http.lua.v3.LuaPerRoute", disabled=True)
    return {
        **unguarded(),
        **untranscoded(settings),
        **pages_cors_policy(),
        BODY: off,
        lua: off,
    }
