"""Promises of the generated configuration that no single request can show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import event_schemas
from cli.generate.gateway import write_gateway
from edge.gateway.bootstrap import render
from edge.gateway.paths import camel, path_table, variables
from edge.gateway.settings import ROOT, GatewaySettings, container_settings
from portico_contract import AccessRule, Contract
from portico_contract.limit_categories import LimitCategory

GENERATED = (
    "envoy/envoy.yaml",
    "envoy/transcoder.binpb",
    "generated/openapi.json",
    "generated/openapi.yaml",
)
HTTP = "envoy.filters.http."


@pytest.fixture(scope="module")
def config(contract: Contract) -> dict[str, Any]:
    return render(contract, container_settings())


def everything(node: Any) -> Iterator[Any]:
    """Every node of a tree."""
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from everything(child)


def routes(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The routes of the public listener, by name."""
    manager = public(config)["filter_chains"][0]["filters"][0]["typed_config"]
    [host] = manager["route_config"]["virtual_hosts"]
    return {route["name"]: route for route in host["routes"]}


def public(config: dict[str, Any]) -> dict[str, Any]:
    listener: dict[str, Any] = config["static_resources"]["listeners"][0]
    return listener


def filters(config: dict[str, Any]) -> list[dict[str, Any]]:
    manager = public(config)["filter_chains"][0]["filters"][0]["typed_config"]
    chain: list[dict[str, Any]] = manager["http_filters"]
    return chain


def test_no_filter_is_switched_off_by_the_general_switch(config: dict[str, Any]) -> None:
    kinds = {
        node["@type"] for node in everything(config) if isinstance(node, dict) and "@type" in node
    }
    assert not [kind for kind in kinds if kind.endswith("route.v3.FilterConfig")]


def test_every_rpc_has_one_exact_route(config: dict[str, Any], contract: Contract) -> None:
    paths = {name: route["match"] for name, route in routes(config).items()}
    for method in contract.routed:
        assert paths[method.full_name] == {"path": method.path}


def test_an_internal_method_has_no_route(config: dict[str, Any], contract: Contract) -> None:
    internal = [m for m in contract.methods if m.access is AccessRule.INTERNAL]
    assert internal
    for method in internal:
        assert method.full_name not in routes(config)
        assert method.path not in json.dumps(config)


def test_only_public_methods_open_a_door(config: dict[str, Any], contract: Contract) -> None:
    for method in contract.routed:
        policy = routes(config)[method.full_name]["typed_per_filter_config"]
        opened = "rbac" not in policy[f"{HTTP}rbac"]
        assert opened == (method.access is AccessRule.PUBLIC)
        requirement = policy[f"{HTTP}jwt_authn"]["requirement_name"]
        assert requirement == ("welcome" if opened else "demanded")


def test_oauth_tokens_need_the_scope_of_every_method(
    config: dict[str, Any], contract: Contract
) -> None:
    for method in contract.routed:
        if method.access is AccessRule.PUBLIC:
            continue
        policy = routes(config)[method.full_name]["typed_per_filter_config"]
        refused = policy[f"{HTTP}rbac"]["rbac"]["rules"]["policies"]
        own = {"session_required"} if method.access is AccessRule.SIGNED_IN else {"scope_required"}
        own.add("anonymous_scope" if method.permission else "anonymous")
        assert refused.keys() == {"bound_token", "foreign_token", "two_credentials"} | own
        assert (f"(.* )?{method.permission}( .*)?" in json.dumps(refused)) == bool(
            method.permission
        )


def test_every_limited_method_sends_what_it_costs(
    config: dict[str, Any], contract: Contract
) -> None:
    for method in contract.routed:
        policy = routes(config)[method.full_name]["typed_per_filter_config"]
        found = [policy[name] for name in ("ratelimit.open", "ratelimit.closed") if name in policy]
        counted_here = method.category not in (LimitCategory.UNLIMITED, LimitCategory.CREDENTIAL)
        assert len(found) == counted_here
        for one in found:
            for descriptor in one["rate_limits"]:
                assert descriptor["hits_addend"] == {"number": method.cost}


def test_only_what_strangers_guess_at_fails_closed(
    config: dict[str, Any], contract: Contract
) -> None:
    for method in contract.routed:
        policy = routes(config)[method.full_name]["typed_per_filter_config"]
        guessed = method.category in {
            LimitCategory.LOGIN,
            LimitCategory.REGISTER,
            LimitCategory.PASSWORD_RESET,
        }
        assert ("ratelimit.closed" in policy) == guessed


def test_only_reads_are_tried_again(config: dict[str, Any], contract: Contract) -> None:
    for method in contract.routed:
        retried = "retry_policy" in routes(config)[method.full_name]["route"]
        assert retried == (method.category is LimitCategory.READ)


def test_no_path_variable_can_come_from_the_query(
    config: dict[str, Any], contract: Contract
) -> None:
    [transcoder] = [f for f in filters(config) if f["name"] == f"{HTTP}grpc_json_transcoder"]
    ignored = set(transcoder["typed_config"]["ignored_query_parameters"])
    names = {name for m in contract.routed if m.rest for name in variables(m.rest.template)}
    assert names
    assert ignored == names | {camel(name) for name in names}


def test_the_filters_stand_in_their_order(config: dict[str, Any]) -> None:
    assert [filter_["name"].removeprefix(HTTP) for filter_ in filters(config)] == [
        "cors",
        "edge_headers",
        "request_id",
        "request_form",
        "request",
        "compress_gzip",
        "compress_brotli",
        "compress_zstd",
        "lua",
        "local_ratelimit",
        "body",
        "grpc_web",
        "grpc_json_transcoder",
        "jwt_authn",
        "rbac",
        "ext_authz",
        "ratelimit.open",
        "ratelimit.closed",
        "ratelimit.notice",
        "router",
    ]


def test_administration_is_a_private_socket(config: dict[str, Any]) -> None:
    assert config["admin"]["address"] == {
        "pipe": {"path": "/run/portico/envoy-admin.sock", "mode": 0o600}
    }


def test_no_secret_is_in_the_configuration(config: dict[str, Any]) -> None:
    text = json.dumps(config).lower()
    for word in ("internal_token", "secret_key", "private"):
        assert word not in text


def test_a_path_answers_to_its_own_verbs(contract: Contract) -> None:
    table = {row["pattern"]: row["allow"] for row in path_table(_forms(contract))}
    assert table["^/api/v1/users/me/?$"] == "GET, HEAD, OPTIONS, PATCH"
    assert table["^/api/v1/api%-keys/[^/]+/revoke/?$"] == "OPTIONS, POST"
    literal_first = ["[" in pattern for pattern in table]
    assert literal_first == sorted(literal_first)


def _forms(contract: Contract) -> list[Any]:
    return [method.rest for method in contract.routed if method.rest is not None]


def test_what_is_committed_is_what_the_contract_gives(tmp_path: Path) -> None:
    for name in ("generated/descriptor.binpb", "pyproject.toml"):
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    (tmp_path / "envoy").mkdir()
    events = event_schemas.read(ROOT / "generated" / "events")
    write_gateway(tmp_path, {name: event["version"] for name, event in events.items()})
    for name in GENERATED:
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes(), name


def test_the_committed_yaml_is_the_rendered_configuration(config: dict[str, Any]) -> None:
    committed = (ROOT / "envoy" / "envoy.yaml").read_text()
    # In C where it can: that takes a tenth of the time for what is two megabytes.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    assert yaml.load(committed, loader) == config  # noqa: S506


@pytest.mark.parametrize("origin", ["*", "app.example.com", "https://app.example.com/"])
def test_a_careless_origin_is_refused(origin: str) -> None:
    values = container_settings().model_dump()
    with pytest.raises(ValueError, match="is not an origin"):
        GatewaySettings.model_validate({**values, "cors_origins": origin})
