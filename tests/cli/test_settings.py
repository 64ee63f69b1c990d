"""Settings are all checked before anything is started, with a line for each that is wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.run.check import check
from cli.run.errors import RunError
from tests.stack import environment_for

SECRET = "do-not-show-this"
SECRET_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
COMMANDS = (
    *("core", "authorize", "ratelimit", "web", "stream"),
    *("worker", "beat", "migrate", "mailbox", "gateway"),
)


def refusal(folder: Path, **variables: str) -> list[str]:
    """What the check says of settings."""
    with pytest.raises(RunError) as refused:
        check(environment_for(folder, variables))
    return list(refused.value.lines)


def test_every_wrong_setting_has_a_line_that_names_it(tmp_path: Path) -> None:
    wrong = {
        "PORTICO_DATABASE_URL": "nonsense",
        "PORTICO_LOG_LEVEL": "loud",
        "PORTICO_REST_HOST": "localhost",
        "PORTICO_GRPC_PORT": "ninety",
        "PORTICO_BCRYPT_ROUNDS": "99",
        "PORTICO_CORS_ORIGINS": "*",
        "PORTICO_REDIS_URL": f"redis://:{SECRET}@host:port/0",
        "PORTICO_SMTP_URL": f"smtp://user:{SECRET}@:0",
    }
    lines = refusal(tmp_path, **wrong)
    assert sorted(line.replace(":", " ").split()[0] for line in lines) == sorted(wrong)
    assert SECRET not in "".join(lines)
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("url", ["mysql://localhost/portico", "postgresql://host:port/x", "x"])
def test_a_database_that_is_no_postgresql_is_refused(tmp_path: Path, url: str) -> None:
    [line] = refusal(tmp_path, PORTICO_DATABASE_URL=url)
    assert line == "PORTICO_DATABASE_URL: give postgresql://user:password@host:port/database"


def test_a_variable_that_nothing_reads_is_refused_with_the_one_that_was_meant(
    tmp_path: Path,
) -> None:
    lines = refusal(tmp_path, **{f"PORTICO_REST_{word}": "1" for word in ("PROT", "HOTS")})
    assert "PORTICO_REST_" + "PROT is not a setting: did you mean PORTICO_REST_PORT?" in lines
    assert "PORTICO_REST_" + "HOTS is not a setting: did you mean PORTICO_REST_HOST?" in lines


def test_what_kubernetes_says_of_a_service_called_portico_is_no_mistake(tmp_path: Path) -> None:
    names = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_GRPC", "PORT_8080_TCP_ADDR", "PORT")
    variables = {f"PORTICO_{name}": "tcp://10.0.0.1:8080" for name in names}
    assert check(environment_for(tmp_path, variables)) == []


def test_an_empty_variable_is_one_that_is_not_set(tmp_path: Path) -> None:
    empty = dict.fromkeys(("PORTICO_LOG_LEVEL", "PORTICO_SECRET_KEY", "PORTICO_DATABASE_URL"), "")
    assert check(environment_for(tmp_path, empty)) == []


def test_a_database_and_a_valkey_that_do_not_answer_are_named_within_seconds(
    tmp_path: Path,
) -> None:
    with silent_server() as port:
        began = time.monotonic()
        lines = refusal(
            tmp_path,
            PORTICO_DATABASE_URL=f"postgresql://user:{SECRET}@127.0.0.1:{port}/portico",
            PORTICO_REDIS_URL=f"redis://:{SECRET}@127.0.0.1:{port}/0",
        )
        assert time.monotonic() - began < 10
    starts = [line.partition(" (")[0] for line in lines]
    assert starts == [
        "PORTICO_DATABASE_URL: the server does not answer",
        "PORTICO_REDIS_URL: the server does not answer",
    ]
    assert SECRET not in "".join(lines)


def test_production_without_a_mail_server_is_a_warning(tmp_path: Path) -> None:
    [line] = check(
        environment_for(
            tmp_path,
            {
                "PORTICO_ENVIRONMENT": "production",
                "PORTICO_WEBHOOK_ALLOW_LOOPBACK": "false",
                "PORTICO_SMS_PROVIDER": "none",
            },
        )
    )
    assert line.startswith("PORTICO_SMTP_URL: the mail server does not answer (")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_process_started_alone_with_a_wrong_setting_says_so_in_one_line(
    tmp_path: Path, command: str
) -> None:
    variable = "PORTICO_RUNTIME_DIR" if command == "gateway" else "PORTICO_LOG_LEVEL"
    variables = {variable: str(tmp_path / ("d" * 100))}
    if command == "migrate":
        variable = "PORTICO_DATABASE_URL"
        variables = {variable: "nonsense"}
    ended = alone(tmp_path, command, **variables)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("portico")
    assert variable in line


@pytest.mark.parametrize(
    ("command", "variable"),
    [("mailbox", "PORTICO_MAILBOX_PORT"), ("gateway", "PORTICO_REST_PORT")],
)
def test_a_port_that_is_taken_is_named_by_a_process_started_alone(
    tmp_path: Path, command: str, variable: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = alone(tmp_path, command, **{variable: port})
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert variable in line
    assert port in line


def test_the_version_is_shown() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "cli", "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "portico 0.1.0\n"


def alone(folder: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process with everything that it needs to start, but for `variables`."""
    given = {
        "PORTICO_SECRET_KEY": SECRET_KEY,
        "PORTICO_INTERNAL_TOKEN": SECRET_KEY,
        "PORTICO_DATABASE_URL": "postgresql://127.0.0.1:1/portico",
        "PORTICO_REDIS_URL": "redis://127.0.0.1:1/0",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-m", "cli", command],
        env={**os.environ, **environment_for(folder, given)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def silent_server() -> Iterator[int]:
    """A server that takes connections and never says a word; gives its port."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for each in taken:
        each.close()
