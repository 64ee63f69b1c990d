"""The routes of streams over HTTP: to the process that writes them, past the transcoder.

The policy is that of the method: credential, scope and limit are looked at here, and the core
looks again. A WebSocket may come without a credential and present a token in a message.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge.gateway.bodies import BODY
from edge.gateway.clusters import STREAM
from edge.gateway.credentials import (
    ACCESS_METADATA,
    access_metadata,
    credential_policy,
    optional_credential_policy,
)
from edge.gateway.headers import DPOP_CREDENTIAL_HEADER
from edge.gateway.limits import limit_policy
from edge.gateway.paths import variables
from edge.gateway.settings import GatewaySettings
from edge.gateway.transcoding import untranscoded
from edge.gateway.typed import Json, typed
from edge.stream.paths import STREAM_EVENTS, WEBSOCKET_PATH
from portico_contract import Binding, Method
from portico_kit.client_certificates import CERTIFICATE_HEADER, PROXY_SECRET_HEADER

# Longer than a heartbeat, and than a stream lasts; the process itself ends it, which can say so.
_IDLE = "60s"
_LONGEST = "7200s"


def stream_routes(methods: Sequence[Method], settings: GatewaySettings, lua: str) -> list[Json]:
    """The routes of server-sent events and of WebSocket; none without the method.

    Args:
        lua: the name of the filter that wraps answers of the API.
    """
    return [
        route
        for method in methods
        if method.full_name == STREAM_EVENTS and method.rest is not None
        for route in (
            _events(method, method.rest, settings, lua),
            _websocket(method, settings, lua),
        )
    ]


def _events(method: Method, binding: Binding, settings: GatewaySettings, lua: str) -> Json:
    path = re.escape(binding.template)
    for name in variables(binding.template):
        path = path.replace(re.escape(f"{{{name}}}"), "[^/]+")
    get = {"name": ":method", "string_match": {"exact": binding.verb}}
    return {
        "name": "events",
        "match": {"safe_regex": {"regex": f"{path}/?"}, "headers": [get]},
        "route": _action(),
        **_common(method),
        "typed_per_filter_config": {
            **credential_policy(method, settings),
            **_without(settings, lua),
            **limit_policy(method),
        },
    }


def _websocket(method: Method, settings: GatewaySettings, lua: str) -> Json:
    off = typed("extensions.filters.http.lua.v3.LuaPerRoute", disabled=True)
    return {
        "name": "websocket",
        "match": {"path": WEBSOCKET_PATH},
        "route": {**_action(), "upgrade_configs": [{"upgrade_type": "websocket"}]},
        **_common(method),
        "typed_per_filter_config": {
            **optional_credential_policy(method, settings),
            **_without(settings, lua),
            **limit_policy(method),
            BODY: off,
        },
    }


def _action() -> Json:
    return {
        "cluster": STREAM,
        "timeout": "0s",
        "idle_timeout": _IDLE,
        "max_stream_duration": {"max_stream_duration": _LONGEST},
    }


def _common(method: Method) -> Json:
    return {
        # edge/authorize has looked at it.
        "request_headers_to_remove": [
            *("dpop", "x-api-key", DPOP_CREDENTIAL_HEADER, CERTIFICATE_HEADER),
            PROXY_SECRET_HEADER,
        ],
        "metadata": {"filter_metadata": {ACCESS_METADATA: access_metadata(method)}},
    }


def _without(settings: GatewaySettings, lua: str) -> dict[str, Json]:
    """Nothing is transcoded, and no answer gets an envelope: errors have their shape."""
    off = typed("extensions.filters.http.lua.v3.LuaPerRoute", disabled=True)
    return {**untranscoded(settings), lua: off}
