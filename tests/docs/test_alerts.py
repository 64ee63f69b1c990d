"""The alert rules name metrics and labels that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

ALERTS = Path(__file__).parents[2] / "deploy" / "alerts.yml"
# Where metrics are made.
MODULES = (
    "edge.ratelimit.metrics",
    "portico_kit.rpc.telemetry",
    "server.common.guesses",
    "server.features.auth.suspicion",
    "server.features.relay.metrics",
    "server.features.sms.budgets",
    "server.features.webhooks.metrics",
)
GROUPS = yaml.safe_load(ALERTS.read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
# Prometheus adds it to each bucket of a histogram.
BUCKET_LABELS = {"le"}


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """The labels of each series that our processes show."""
    for module in MODULES:
        import_module(module)
    names: dict[str, set[str]] = {}
    for collector in list(REGISTRY._collector_to_names):
        for name in REGISTRY._collector_to_names[collector]:
            names[name] = set(getattr(collector, "_labelnames", ())) | BUCKET_LABELS
    return names


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric of an expression with the labels by which it is selected."""
    for name, chosen in re.findall(r"\b(portico_\w+)(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*[=!]", chosen))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_what_there_is(rule: dict[str, Any], labels: dict[str, set[str]]) -> None:
    found = list(selectors(rule["expr"]))
    assert found
    for name, chosen in found:
        assert name in labels, name
        assert chosen <= labels[name], name
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"]))))
    assert grouped <= set().union(*(labels[name] for name, _ in found))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_complete(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["expr"].count("(") == rule["expr"].count(")")


def test_each_alert_has_a_name_of_its_own() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_what_a_rule_counts_is_shown_before_it_happens_for_the_first_time() -> None:
    import_module("server.features.auth.suspicion")
    for pattern in ("many_accounts", "many_addresses"):
        sample = REGISTRY.get_sample_value("portico_login_suspicious_total", {"pattern": pattern})
        assert sample is not None
