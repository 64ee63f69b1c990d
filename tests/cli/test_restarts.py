"""`portico run` goes on when a process of it dies, and nobody else takes its place meanwhile."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from cli.run.errors import RunError
from cli.run.plan import Step
from cli.run.process import Command
from cli.run.restarts import PAUSES
from cli.run.supervisor import Supervisor
from cli.run.watchdog import Watchdog
from portico_kit.testing.waiting import wait_until
from tests.cli.running import Run, all_gone, running
from tests.support.addresses import new_address

GOOD_AGAIN_SECONDS = 60  # on a busy machine; on an idle one it is three at the most


@pytest.fixture(scope="module")
def run(short_folder: Path) -> Iterator[Run]:
    """A platform whose processes the tests kill one after the other."""
    with running(short_folder / "restarts") as platform:
        yield platform


def child(run: Run, name: str) -> psutil.Process:
    """A process of the platform by what its command line says."""
    found = find(run, name)
    assert found, f"there is no {name}"
    return found


def find(run: Run, name: str) -> psutil.Process | None:
    """The same; None if there is no such process now."""
    for each in run.family():
        try:
            if each.status() == psutil.STATUS_ZOMBIE:
                continue
            line = each.cmdline()
        except psutil.NoSuchProcess:
            continue  # it has ended since
        launcher = name == "launcher" and "launcher.py" in " ".join(line[:4])
        if launcher or name == each.name() or line[-1:] == [name]:
            return each
    return None


def is_new(run: Run, name: str, before: psutil.Process) -> bool:
    """Whether another process is in the place of one that was killed."""
    now = find(run, name)
    return now is not None and now.pid != before.pid


def status(run: Run, method: str, path: str, body: object = None, **headers: str) -> int:
    """The status of an answer; 0 if there is none."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(run.environment["PORTICO_REST_PORT"]), timeout=5
    )
    if body:
        headers["Content-Type"] = "application/json"
    headers["X-Forwarded-For"] = new_address()
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def serves(run: Run) -> bool:
    """Whether every part does its work: database and limiter for a sign-in, the authorizer."""
    # Another address each time: one alone would have no attempts left.
    attempt = {"email": f"{uuid4().hex}@example.com", "password": "not the password"}
    return (
        status(run, "GET", "/api/v1/health/ready") == 200
        and status(run, "POST", "/api/v1/auth/login", attempt) == 401
        and status(run, "GET", "/api/v1/users/me", **{"X-API-Key": "pk_test_nobody"}) == 401
        and status(run, "GET", "/sign-in") == 200
    )


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("core", "core"),
        ("authorize", "authorize"),
        ("ratelimit", "ratelimit"),
        ("web", "web"),
        ("stream", "stream"),
        ("worker", "worker"),
        ("mailbox", "mailbox"),
        ("launcher", "gateway"),
        ("envoy", "gateway"),
        ("valkey-server", "valkey"),
        ("postgres", "postgres"),
    ],
)
def test_whatever_is_killed_is_started_again_and_the_platform_goes_on(
    run: Run, name: str, part: str
) -> None:
    before = child(run, name)
    said = run.output.count(f"portico: {part} ended with")
    before.kill()
    wait_until(lambda: run.output.count(f"portico: {part} ended with") > said)
    wait_until(lambda: is_new(run, name, before))
    wait_until(lambda: serves(run), GOOD_AGAIN_SECONDS, every=0.1)
    assert not run.ended
    assert f'"{part} ended with' in (run.folder / "logs" / "run.log").read_text()


def test_two_that_die_at_once_are_both_started_again(run: Run) -> None:
    for name in ("postgres", "core"):
        child(run, name).kill()
    wait_until(lambda: run.output.count("portico: core ended with") > 1)
    wait_until(lambda: serves(run), GOOD_AGAIN_SECONDS, every=0.1)


def test_a_killed_watchdog_is_replaced_at_the_next_occasion(run: Run) -> None:
    child(run, "sh").kill()
    child(run, "mailbox").kill()
    wait_until(lambda: run.output.count("portico: mailbox ended with") > 1)
    wait_until(lambda: any(each.name() == "sh" for each in run.family()))
    assert serves(run)


@pytest.mark.parametrize(
    "part", ["core", "authorize", "ratelimit", "web", "stream", "gateway", "mailbox"]
)
def test_a_part_started_beside_a_running_one_refuses_and_takes_nothing(run: Run, part: str) -> None:
    refusal = beside(run, part)
    assert refusal.returncode == 1
    [line] = refusal.stderr.splitlines()
    assert line.startswith(f"portico {part}: ")
    assert "another Portico uses" in line or "is taken" in line
    assert serves(run)


def test_a_gateway_on_another_port_does_not_take_the_sockets_either(run: Run) -> None:
    refusal = beside(run, "gateway", PORTICO_REST_PORT="1025")
    assert refusal.returncode == 1
    assert "another Portico uses the runtime folder" in refusal.stderr


def test_a_core_whose_port_is_taken_names_the_setting_that_moves_it(
    run: Run, short_folder: Path
) -> None:
    refusal = beside(run, "core", PORTICO_RUNTIME_DIR=str(short_folder / "elsewhere"))
    assert refusal.returncode == 1
    assert "PORTICO_GRPC_PORT" in refusal.stderr.splitlines()[-1]
    assert "Traceback" not in refusal.stderr


@pytest.mark.parametrize("part", ["core", "authorize", "ratelimit", "web", "stream", "gateway"])
def test_a_part_says_that_it_serves(run: Run, part: str) -> None:
    assert beside(run, "health", part).returncode == 0


def test_a_part_that_hangs_is_not_healthy_though_its_socket_takes_connections(run: Run) -> None:
    process = child(run, "ratelimit")
    process.suspend()
    try:
        answer = beside(run, "health", "ratelimit")
    finally:
        process.resume()
    assert answer.returncode == 1
    assert answer.stderr.startswith("portico health: ratelimit does not serve (DEADLINE_EXCEEDED")


def test_ctrl_c_while_something_is_started_again_stops_everything(run: Run) -> None:
    family = run.family()
    child(run, "core").kill()
    wait_until(lambda: run.output.count("portico: core ended with") > 2)
    run.send(signal.SIGINT)
    assert run.wait() == 0, run.output
    assert all_gone([*family], 0)


async def test_what_dies_again_and_again_ends_the_run_with_its_last_words(
    tmp_path: Path, watchdog: Watchdog
) -> None:
    command = Command(
        name="Flicker",
        arguments=("/bin/sh", "-c", "sleep 0.3; echo that was all; exit 3"),
        log=tmp_path / "logs" / "flicker.log",
    )
    deaths: list[float] = []
    supervisor = Supervisor(
        [Step("flicker", (), lambda: command)],
        watchdog,
        report_death=lambda reason, seconds: deaths.append(seconds),
    )
    await supervisor.start()
    began = time.monotonic()
    with pytest.raises(RunError, match="exit code 3, after 5 restarts within a minute") as ended:
        await asyncio.wait_for(supervisor.keep(), 60)
    assert tuple(deaths) == PAUSES
    assert time.monotonic() - began >= sum(PAUSES)
    # The log has every attempt, not the last alone.
    assert ended.value.details == ("that was all",) * 6


def beside(run: Run, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command beside the platform, with its settings and the secrets it needs to start."""
    secrets = (run.folder / "secrets.env").read_text().split()
    environment = {
        **run.environment,
        **dict(line.split("=", 1) for line in secrets),
        "PORTICO_DATABASE_URL": f"postgresql://portico@/portico?host={run.folder}/postgres",
        "PORTICO_REDIS_URL": f"unix://{run.folder}/run/valkey.sock",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
