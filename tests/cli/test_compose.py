"""docker-compose.yml runs the same processes as `portico run`, and trusts them with no more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.run.parts import CREDENTIALS, PARTS, Part
from edge.gateway.main import patience
from edge.gateway.settings import container_settings
from portico_contract import CONTRACT_FILE, load

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]


def test_every_process_and_no_other_is_a_service() -> None:
    # Here there may be several workers, so beat is a process of its own.
    assert set(SERVICES) == {part.name for part in PARTS} | {"beat", "postgres", "valkey"}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_service_runs_the_command_that_portico_run_runs(part: Part) -> None:
    assert SERVICES[part.name]["command"] == ["portico", part.name]


def test_the_gateway_listens_on_every_address_of_its_container() -> None:
    gateway = SERVICES["gateway"]
    environment = gateway["environment"]
    assert environment["PORTICO_REST_HOST"] == "0.0.0.0"  # noqa: S104
    assert gateway["ports"] == ["127.0.0.1:${PORTICO_REST_PORT:-8080}:8080"]
    assert environment["PORTICO_REST_PORT"] == "8080"


def test_the_gateway_gets_time_to_answer_what_it_accepted() -> None:
    settings = container_settings()
    longest = settings.stop_delay + patience(load(CONTRACT_FILE), settings)
    assert float(SERVICES["gateway"]["stop_grace_period"].removesuffix("s")) > longest


@pytest.mark.parametrize("part", ["core", "authorize", "ratelimit", "web", "stream", "gateway"])
def test_a_service_is_healthy_when_it_says_so_itself(part: str) -> None:
    assert SERVICES[part]["healthcheck"]["test"] == ["CMD", "portico", "health", part]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_service_sees_only_the_credentials_it_is_trusted_with(part: Part) -> None:
    seen = set(SERVICES[part.name].get("environment", {}))
    assert seen & set(CREDENTIALS) == set(part.trusted_with)


def test_no_secret_has_a_default() -> None:
    variables = dict(re.findall(r"\$\{(\w+)([^}]*)\}", TEXT))
    for name in ("POSTGRES_PASSWORD", "PORTICO_SECRET_KEY", "PORTICO_INTERNAL_TOKEN"):
        assert variables[name].startswith(":?")


def test_no_service_of_ours_runs_as_root() -> None:
    for part in PARTS:
        assert SERVICES[part.name]["user"] == "10001:10001"


def test_the_example_env_names_every_variable_that_must_be_set() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", TEXT))
    example = (ROOT / "deploy" / "example.env").read_text()
    assert required == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))
