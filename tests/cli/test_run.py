"""`portico run`: it says what is wrong, leaves nothing behind, and forgets nothing."""

from __future__ import annotations

import signal
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from cli.run.parts import (
    CREDENTIALS,
    PARTS,
    RELAY_KAFKA_PASSWORD,
    RELAY_REDIS_URL,
    TWILIO_AUTH_TOKEN,
)
from cli.run.plan import make_plan, visible
from cli.run.settings import read_settings
from cli.run.state import load_secrets, owned_state
from portico_kit.testing.waiting import wait_until
from tests.cli.conftest import Launch
from tests.cli.running import Run, all_gone, running

OTHER_SECRET_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def test_a_port_that_is_taken_is_named_with_the_setting_that_moves_it(launch: Launch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = launch("run", PORTICO_REST_PORT=str(port))
        assert run.wait() == 1
    assert f"port {port} of 127.0.0.1 is taken" in run.output
    assert "PORTICO_REST_PORT" in run.output


def test_a_setting_that_makes_no_sense_is_named(launch: Launch) -> None:
    run = launch("run", PORTICO_GRPC_PORT="ninety")
    assert run.wait() == 1
    assert run.output.strip() == (
        "portico: PORTICO_GRPC_PORT is 'ninety': give a port from 1 to 65535"
    )


def test_a_database_that_does_not_answer_is_named_before_anything_is_started(
    launch: Launch, home: Path
) -> None:
    run = launch("run", PORTICO_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert run.wait() == 1
    assert run.output.startswith("portico: PORTICO_DATABASE_URL: the server does not answer (")
    assert "127.0.0.1" in run.output
    assert not (home / "logs").exists()


@pytest.fixture(scope="module")
def first(short_folder: Path) -> Iterator[Run]:
    """A platform on the loopback address of IPv6, which the last of its tests ends."""
    with running(
        short_folder / "twice", PORTICO_REST_HOST="::1", PORTICO_GRPC_HOST="::1"
    ) as platform:
        with psycopg.connect(embedded_database(platform.folder)) as connection:
            connection.execute("CREATE TABLE left_behind AS SELECT 42 AS answer")
        yield platform


def test_the_platform_listens_on_the_loopback_address_of_ipv6(first: Run) -> None:
    port = int(first.environment["PORTICO_REST_PORT"])
    assert f"http://[::1]:{port}/api/v1" in first.output
    with socket.create_connection(("::1", port), timeout=5):
        pass


def test_a_second_signal_ends_everything_without_waiting(first: Run) -> None:
    family = first.family()
    first.member("worker").suspend()
    first.send(signal.SIGTERM)
    wait_until(lambda: "Stopping." in first.output)
    time.sleep(0.5)
    first.send(signal.SIGTERM)
    assert all_gone(family, 5)
    assert first.wait() == 0


@dataclass(frozen=True)
class Successor:
    """A platform, and what the one that had its state folder before left there.

    Attributes:
        secrets: the secrets of the one before.
    """

    run: Run
    secrets: Mapping[str, str]


@pytest.fixture(scope="module")
def successor(first: Run) -> Iterator[Successor]:
    """The second platform in a folder, after one that was stopped in a hurry."""
    first.discard()
    secrets = load_secrets(first.folder)
    with running(first.folder) as second:
        yield Successor(second, secrets)


def test_a_second_start_finds_what_the_first_one_left(successor: Successor) -> None:
    home = successor.run.folder
    with psycopg.connect(embedded_database(home)) as connection:
        assert connection.execute("SELECT answer FROM left_behind").fetchone() == (42,)
    assert load_secrets(home) == successor.secrets


def test_nobody_survives_a_killed_supervisor(successor: Successor) -> None:
    run = successor.run
    family = run.family()
    run.send(signal.SIGKILL)
    run.wait()
    assert all_gone(family, 15)
    with owned_state(read_settings(run.environment)):
        pass  # the folder is free again


def test_a_start_with_another_secret_key_ends_and_says_why(successor: Successor) -> None:
    if not successor.run.ended:
        successor.run.discard()
    home = successor.run.folder
    other = Run("run", home, {"PORTICO_SECRET_KEY": OTHER_SECRET_KEY})
    try:
        wait_until(lambda: other.ended or len(other.family()) > 1, 20)
        family = [] if other.ended else other.family()
        assert other.wait() == 1
    finally:
        other.discard()
    assert "PORTICO_SECRET_KEY is not the one" in other.output
    assert "portico: core ended with exit code 1: see" in other.output
    assert all_gone(family, 0)


def test_two_runs_do_not_share_a_state_folder_and_its_sockets_and_logs_are_private(
    launch: Launch, home: Path
) -> None:
    first = launch("run")
    wait_until((home / "secrets.env").exists)
    for name in ("run", "logs"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o700
    second = launch("run")
    assert second.wait() == 1
    assert f"uses {home}: stop it or set PORTICO_STATE_DIR" in second.output
    assert not first.ended


def test_secrets_are_made_once_and_only_for_their_owner(home: Path) -> None:
    home.mkdir()
    made = load_secrets(home)
    assert load_secrets(home) == made
    assert len(set(made.values())) == 2
    assert stat.S_IMODE((home / "secrets.env").stat().st_mode) == 0o600


def test_a_part_sees_only_the_credentials_it_is_trusted_with() -> None:
    everything = dict.fromkeys((*CREDENTIALS, "PORTICO_ISSUER"), "x")
    seen = {part.name: set(visible(part, everything)) for part in PARTS}
    assert seen["gateway"] == seen["mailbox"] == {"PORTICO_ISSUER"}
    assert "PORTICO_DATABASE_URL" not in seen["authorize"] | seen["ratelimit"]
    owners = {
        TWILIO_AUTH_TOKEN: "worker",
        RELAY_REDIS_URL: "relay",
        RELAY_KAFKA_PASSWORD: "relay",
    }
    assert seen["core"] == set(everything) - owners.keys()
    for credential, owner in owners.items():
        assert [name for name, they in seen.items() if credential in they] == [owner]


def test_servers_of_ones_own_replace_the_embedded_ones() -> None:
    own = {
        "PORTICO_DATABASE_URL": "postgresql://portico@db.example/portico",
        "PORTICO_REDIS_URL": "redis://cache.example:6379/0",
    }
    steps = {step.name: step for step in make_plan(read_settings(own), {}, own)}
    assert not {"postgres", "valkey"} & set(steps)
    assert own.items() <= dict(steps["core"].command().environment).items()


def test_mail_goes_to_the_mailbox_only_in_development_and_unless_told_otherwise() -> None:
    assert read_settings({}).mailbox
    assert not read_settings({"PORTICO_SMTP_URL": "smtp://mail.example:587"}).mailbox
    assert not read_settings({"PORTICO_ENVIRONMENT": "production"}).mailbox


def test_sockets_move_to_a_short_folder_when_the_path_is_too_long(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    settings = read_settings({"PORTICO_STATE_DIR": str(deep)})
    assert settings.state_dir == deep
    assert len(str(settings.runtime_dir / "envoy-admin.sock")) <= 100


def embedded_database(home: Path) -> str:
    """The address of the platform's database."""
    return f"postgresql://portico@/portico?host={home / 'postgres'}"
