"""`portico gateway`: becomes Envoy, or says in one line why it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENVOY_SECONDS = 60  # on a busy machine


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command, which is to refuse."""
    return subprocess.run(
        [sys.executable, "-m", "cli", "gateway"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=ENVOY_SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORTICO_REST_PORT", "http"),
        ("PORTICO_REST_PORT", "70000"),
        ("PORTICO_CORS_ORIGINS", "*"),
        ("PORTICO_ADDRESS_RATE", "0"),
        ("PORTICO_REST_HOST", "localhost"),
    ],
)
def test_a_bad_setting_is_one_clear_line(variable: str, value: str, tmp_path: Path) -> None:
    refusal = start(**{variable: value, "PORTICO_STATE_DIR": str(tmp_path)})
    assert refusal.returncode != 0
    [line] = refusal.stderr.splitlines()
    assert variable in line


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    missing = str(tmp_path / "openapi.json")
    refusal = start(PORTICO_OPENAPI_FILE=missing, PORTICO_STATE_DIR=str(tmp_path))
    assert refusal.returncode != 0
    assert refusal.stderr == f"portico gateway: {missing} is missing; run `portico generate`\n"


def test_a_runtime_folder_too_deep_for_sockets_is_one_clear_line(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    refusal = start(PORTICO_RUNTIME_DIR=str(deep))
    assert refusal.returncode != 0
    [line] = refusal.stderr.splitlines()
    assert "too long" in line
