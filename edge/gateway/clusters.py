"""Whom Envoy calls: the core, the services of the edge, and itself for the published keys."""

from __future__ import annotations

from collections.abc import Sequence

from edge.gateway.settings import GatewaySettings
from edge.gateway.typed import Json, typed
from portico_contract import Method

_CONNECT_TIMEOUT = "0.5s"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


# The core once more, and the process that writes streams over HTTP.
STREAMS = "streams"
STREAM = "stream"
MAX_HTTP_STREAMS = 50_000
MAX_STREAMS = 1024


def clusters(methods: Sequence[Method], settings: GatewaySettings) -> list[Json]:
    """Every upstream; all of them are unix sockets in the runtime folder."""
    streams = any(method.streaming for method in methods)
    return [
        {**_grpc("core", settings), **_core_protection()},
        _grpc("authorize", settings),
        _grpc("ratelimit", settings),
        _cluster("jwks", settings),
        _pages(settings),
        _http_streams(settings),
        *([_streams(settings)] if streams else []),
    ]


def _pages(settings: GatewaySettings) -> Json:
    """The process of the pages. A connection that nothing has used for a while is closed from this
    side: it would close it at the very moment in which a form is sent on it."""
    options = typed(
        _HTTP_OPTIONS.removeprefix("envoy."),
        common_http_protocol_options={"idle_timeout": "60s"},
        explicit_http_config={"http_protocol_options": {}},
    )
    most = {"max_connections": 128, "max_pending_requests": 256, "max_requests": 512}
    return {
        **_cluster("web", settings),
        "circuit_breakers": {"thresholds": [most]},
        "typed_extension_protocol_options": {_HTTP_OPTIONS: options},
    }


def _http_streams(settings: GatewaySettings) -> Json:
    """The process that writes streams. Each has a connection of its own."""
    most = {
        "max_connections": MAX_HTTP_STREAMS,
        "max_pending_requests": 4096,
        "max_requests": MAX_HTTP_STREAMS,
    }
    options = typed(
        _HTTP_OPTIONS.removeprefix("envoy."), explicit_http_config={"http_protocol_options": {}}
    )
    return {
        **_cluster(STREAM, settings),
        "circuit_breakers": {"thresholds": [most]},
        "typed_extension_protocol_options": {_HTTP_OPTIONS: options},
    }


def _streams(settings: GatewaySettings) -> Json:
    """The core once more, for answers that are streams: they have an allowance of their own."""
    most = {"max_connections": 64, "max_pending_requests": 512, "max_requests": MAX_STREAMS}
    return {**_grpc("core", settings), "name": STREAMS, "circuit_breakers": {"thresholds": [most]}}


def _cluster(name: str, settings: GatewaySettings) -> Json:
    endpoint = {"address": {"pipe": {"path": str(settings.runtime_dir / f"{name}.sock")}}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": _CONNECT_TIMEOUT,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }


def _grpc(name: str, settings: GatewaySettings) -> Json:
    """An upstream that speaks HTTP/2; a dead connection is noticed by its missing pongs."""
    http2 = {"connection_keepalive": {"interval": "30s", "timeout": "5s"}}
    options = typed(
        _HTTP_OPTIONS.removeprefix("envoy."),
        explicit_http_config={"http2_protocol_options": http2},
    )
    return {
        **_cluster(name, settings),
        "typed_extension_protocol_options": {_HTTP_OPTIONS: options},
    }


def _core_protection() -> Json:
    """Refuses at once what the core could not serve anyway, and notices when it hangs."""
    return {
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 64,
                    "max_pending_requests": 512,
                    "max_requests": 1024,
                    "max_retries": 8,
                }
            ]
        },
        "health_checks": [
            {
                "timeout": "2s",
                "interval": "2s",
                "no_traffic_interval": "2s",
                "unhealthy_interval": "1s",
                "unhealthy_threshold": 3,
                "healthy_threshold": 1,
                "grpc_health_check": {},
            }
        ],
        # With one core, "mostly unhealthy" means down: do not send it traffic in panic.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }
