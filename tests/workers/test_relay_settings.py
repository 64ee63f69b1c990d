"""What can be set of the relay: a mistake is one line, before anything is relayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.run.plan import make_plan
from cli.run.settings import read_settings
from portico_kit.settings import problems
from portico_kit.start import StartError
from server.app import EVENTS
from server.features.relay.process import buses, require_known
from server.settings import RelaySettings

DATABASE = {"PORTICO_DATABASE_URL": "postgresql://127.0.0.1/portico"}
KAFKA = {**DATABASE, "PORTICO_RELAY_KAFKA_SERVERS": "a.example.com:9092, 10.0.0.1:9093"}
USER = {"PORTICO_RELAY_KAFKA_USER": "relay", "PORTICO_RELAY_KAFKA_PASSWORD": "secret"}


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, []),
        ({**USER}, []),
        ({"PORTICO_RELAY_TYPES": "*, user.created"}, []),
        ({"PORTICO_RELAY_KAFKA_SERVERS": "kafka://a:9092"}, ["PORTICO_RELAY_KAFKA_SERVERS"]),
        ({"PORTICO_RELAY_KAFKA_SERVERS": "a.example.com"}, ["PORTICO_RELAY_KAFKA_SERVERS"]),
        ({"PORTICO_RELAY_KAFKA_TOPIC": "what happens"}, ["PORTICO_RELAY_KAFKA_TOPIC"]),
        ({"PORTICO_RELAY_KAFKA_USER": "relay"}, ["PORTICO_RELAY_KAFKA_PASSWORD"]),
        ({"PORTICO_RELAY_KAFKA_PASSWORD": "secret"}, ["PORTICO_RELAY_KAFKA_PASSWORD"]),
        (
            {**USER, "PORTICO_RELAY_KAFKA_MECHANISM": "PLAIN"},
            ["PORTICO_RELAY_KAFKA_MECHANISM"],
        ),
        (
            {
                **USER,
                "PORTICO_RELAY_KAFKA_MECHANISM": "PLAIN",
                "PORTICO_RELAY_KAFKA_TLS": "true",
            },
            [],
        ),
        ({"PORTICO_RELAY_REDIS_URL": "redis+cluster://a:6379"}, ["PORTICO_RELAY_REDIS_URL"]),
        ({"PORTICO_RELAY_ORGANIZATIONS": "acme"}, ["PORTICO_RELAY_ORGANIZATIONS"]),
        ({"PORTICO_RELAY_TYPES": ","}, ["PORTICO_RELAY_TYPES"]),
    ],
)
def test_a_mistake_names_its_variable_and_never_a_secret(
    given: dict[str, str], wrong: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**KAFKA, **given}.items():
        monkeypatch.setenv(name, value)
    lines = problems(RelaySettings)
    assert [line.split(":")[0] for line in lines] == wrong
    assert not any("secret" in line for line in lines)


@pytest.mark.parametrize("name", ["key.creatd", "user.login", "webhook.*"])
def test_a_type_that_is_none_is_refused(name: str) -> None:
    require_known(["*", "user.created"], EVENTS)
    with pytest.raises(StartError, match=f"PORTICO_RELAY_TYPES: no event is called {name}"):
        require_known(["*", name], EVENTS)


def test_each_bus_that_is_named_is_relayed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KAFKA.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PORTICO_RELAY_REDIS_URL", "redis://127.0.0.1:1/0")
    named = [bus.name for bus in buses(RelaySettings.model_validate({}))]
    assert named == ["kafka/portico.events", "redis/portico:events"]
    monkeypatch.delenv("PORTICO_RELAY_KAFKA_SERVERS")
    monkeypatch.delenv("PORTICO_RELAY_REDIS_URL")
    assert buses(RelaySettings.model_validate({})) == []


def test_a_platform_without_a_bus_runs_no_relay(tmp_path: Path) -> None:
    without = {"PORTICO_STATE_DIR": str(tmp_path)}
    for given, runs in (({}, False), ({"PORTICO_RELAY_REDIS_URL": "redis://127.0.0.1"}, True)):
        environ = {**without, **given}
        plan = make_plan(read_settings(environ), {}, environ)
        assert ("relay" in {step.name for step in plan}) == runs
