"""docs/settings.md lists every PORTICO_ variable that anything reads, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from pydantic_settings import BaseSettings

from edge.gateway.settings import EnvironmentSettings
from edge.settings import AuthorizeSettings, EdgeSettings, RateLimitSettings
from edge.stream.settings import StreamSettings
from edge.web.settings import WebSettings
from server.settings import RelaySettings, Settings, SharedSettings, WorkerSettings
from tests.docs.tables import ROOT, rows

MODELS: tuple[type[BaseSettings], ...] = (
    SharedSettings,
    Settings,
    WorkerSettings,
    EdgeSettings,
    AuthorizeSettings,
    RateLimitSettings,
    WebSettings,
    StreamSettings,
    EnvironmentSettings,
    RelaySettings,
)
ROOMS = ("cli", "contract", "edge", "kit", "server", "workers")
_VARIABLE = re.compile(r"PORTICO_[A-Z]+(?:_[A-Z]+)*")


def read_by_models() -> set[str]:
    """The variables that settings classes read: one for each field."""
    return {f"PORTICO_{field.upper()}" for model in MODELS for field in model.model_fields}


def named_in_code() -> Iterator[str]:
    """The variables that the code and what deploys it call by name."""
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    for file in (*files, ROOT / "docker-compose.yml", *(ROOT / "deploy").iterdir()):
        yield from _VARIABLE.findall(file.read_text())


def test_every_variable_is_documented() -> None:
    documented = [name for name, *_ in rows("settings.md")]
    assert sorted(documented) == sorted({*read_by_models(), *named_in_code()})


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_defaults_are_documented_as_they_are(model: type[BaseSettings]) -> None:
    documented = {name: default for name, default, *_ in rows("settings.md")}
    for name, field in model.model_fields.items():
        if isinstance(field.default, bool):
            assert documented[f"PORTICO_{name.upper()}"] == str(field.default).lower()
        elif isinstance(field.default, int | float | str) and field.default != "":
            assert documented[f"PORTICO_{name.upper()}"] == str(field.default), name
