"""The complete Envoy bootstrap."""

from __future__ import annotations

from edge.gateway.clusters import clusters
from edge.gateway.listeners import listeners
from edge.gateway.settings import GatewaySettings
from edge.gateway.typed import Json, extension
from portico_contract import Contract

_MAX_HEAP_BYTES = 512 * 1024 * 1024
_MAX_CONNECTIONS = 10_000
_HEAP = "envoy.resource_monitors.fixed_heap"
_CONNECTIONS = "envoy.resource_monitors.global_downstream_max_connections"
# Off by default in 1.40: without it a descriptor carries an operator as text, not its value.
_FEATURES = {
    "envoy.reloadable_features.enable_formatter_for_ratelimit_action_descriptor_value": True,
}


def render(contract: Contract, settings: GatewaySettings) -> Json:
    """The configuration with which Envoy is Portico's public edge."""
    methods = contract.routed
    admin = {"pipe": {"path": str(settings.admin_socket), "mode": 0o600}}
    return {
        "node": {"id": "portico-gateway", "cluster": "portico"},
        "admin": {"address": admin},
        "static_resources": {
            "listeners": listeners(methods, settings),
            "clusters": clusters(methods, settings),
        },
        "overload_manager": overload_manager(),
        "layered_runtime": {
            "layers": [
                {"name": "portico", "static_layer": _FEATURES},
                # What the gateway's parent sets when it stops; see launcher.py.
                {"name": "admin", "admin_layer": {}},
            ]
        },
    }


def overload_manager() -> Json:
    """Sheds load before memory or descriptors run out."""
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            extension(
                _HEAP,
                "extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                max_heap_size_bytes=_MAX_HEAP_BYTES,
            ),
            extension(
                _CONNECTIONS,
                "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                max_active_downstream_connections=_MAX_CONNECTIONS,
            ),
        ],
        "actions": [
            _action("shrink_heap", 0.90),
            _action("stop_accepting_requests", 0.95),
        ],
    }


def _action(name: str, threshold: float) -> Json:
    trigger = {"name": _HEAP, "threshold": {"value": threshold}}
    return {"name": f"envoy.overload_actions.{name}", "triggers": [trigger]}
