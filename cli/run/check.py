"""Checks the settings of every part before anything is started.

    python -m cli.run.check NAME...

A process of its own, which ends: the classes of the settings would stay in the
memory of the supervisor. It reads the environment that the parts will see, and
the names of the variables that a person has set; it prints one JSON object a line.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cli.run.errors import RunError
from cli.run.parts import DATABASE, OWN_CREDENTIALS, VALKEY
from cli.run.plan import PREFIX, given_variables, shared_variables
from cli.run.settings import read_settings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

CONNECT_SECONDS = 3
# A name server that does not answer is not bounded by the time for connecting.
LOOKUP_SECONDS = 2
COUNTS = "PORTICO_RATELIMIT_REDIS_URL"
SMTP = "PORTICO_SMTP_URL"
# What `portico run` and the mailbox read, beside what the settings classes name.
OWN_NAMES = ("PORTICO_MAILBOX_HOST", "PORTICO_MAILBOX_PORT", "PORTICO_LOG_MEGABYTES")
# Kubernetes sets such variables for each service of a namespace, and one may be called portico.
OF_KUBERNETES = re.compile(r"_SERVICE_(HOST|PORT)(_.*)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?$")
# Stands for what `portico run` makes itself: good enough for every rule.
PLACEHOLDERS = {
    **dict.fromkeys(OWN_CREDENTIALS, "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
    DATABASE: "postgresql://",
    VALKEY: "unix:///placeholder",
}


def check(environ: Mapping[str, str]) -> list[str]:
    """Checks all settings, in a process of its own.

    Returns:
        A line for each thing that is doubtful, but may be right.

    Raises:
        RunError: if something is wrong, with a line for each.
    """
    wrong: list[str] = []
    given = given_variables(environ)
    variables = {**PLACEHOLDERS, **given}
    try:
        variables.update(shared_variables(read_settings(environ), environ))
    except RunError as error:
        wrong = list(error.lines)
    named_before = {line.split(" ")[0].rstrip(":") for line in wrong}
    more, doubtful = run_check(variables, sorted(each for each in given if each.startswith(PREFIX)))
    wrong += [line for line in more if line.split(":")[0] not in named_before]
    if wrong:
        raise RunError.of(wrong)
    return doubtful


def run_check(variables: Mapping[str, str], names: Iterable[str]) -> tuple[list[str], list[str]]:
    """What the other process finds wrong, and what doubtful."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.run.check", *names],
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        check=False,
    )
    if done.returncode != 0:
        raise RunError("the settings could not be checked")
    found = json.loads(done.stdout)
    return found["wrong"], found["doubtful"]


def main(names: list[str]) -> None:
    """Prints what is wrong, and what doubtful, with the settings in the environment."""
    wrong = [*unknown(names), *mistakes()]
    doubtful: list[str] = []
    if not wrong:
        wrong, doubtful = unreachable(names)
    print(json.dumps({"wrong": wrong, "doubtful": doubtful}), flush=True)
    # Without waiting for a thread that waits for a name server.
    os._exit(0)


def settings_classes() -> tuple[type[BaseSettings], ...]:
    """What the parts read their settings with."""
    from edge.gateway.settings import EnvironmentSettings
    from edge.settings import AuthorizeSettings, RateLimitSettings
    from edge.stream.settings import StreamSettings
    from edge.web.settings import WebSettings
    from server.settings import RelaySettings, Settings, WorkerSettings

    return (
        *(Settings, WorkerSettings, AuthorizeSettings, RateLimitSettings),
        *(WebSettings, StreamSettings, EnvironmentSettings, RelaySettings),
    )


def mistakes() -> list[str]:
    """A line for each setting that one of the parts would refuse."""
    from portico_kit.settings import problems

    return sorted({line for kind in settings_classes() for line in problems(kind)})


def unknown(names: Iterable[str]) -> list[str]:
    """A line for each variable of ours that nothing reads."""
    fields = {field for kind in settings_classes() for field in kind.model_fields}
    known = sorted({*OWN_NAMES, *(f"{PREFIX}{field.upper()}" for field in fields)})
    return [
        f"{name} is not a setting{suggestion(name, known)}"
        for name in names
        if name not in known and not OF_KUBERNETES.search(name)
    ]


def suggestion(name: str, known: list[str]) -> str:
    """The setting that somebody may have had in mind."""
    nearest = get_close_matches(name, known, n=1, cutoff=0.8)
    return f": did you mean {nearest[0]}?" if nearest else ": see docs/settings.md"


def unreachable(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """A line for each server that was named and does not answer.

    Returns:
        Those that nothing works without, and those that may come later: the mail server, and
        where events are relayed to.
    """
    probes: dict[str, Callable[[str], None]] = {
        DATABASE: ask_postgres,
        VALKEY: ask_valkey,
        COUNTS: ask_valkey,
    }
    later: dict[str, tuple[str, Callable[[str], None]]] = {
        SMTP: ("the mail server", ask_mail_server),
        "PORTICO_RELAY_REDIS_URL": ("the bus", ask_valkey),
        "PORTICO_RELAY_KAFKA_SERVERS": ("the bus", ask_brokers),
    }
    wanted = {name: probe for name, probe in probes.items() if name in names}
    wanted.update({name: later[name][1] for name in later if name in names and name != SMTP})
    if not read_settings(os.environ).mailbox:
        wanted[SMTP] = ask_mail_server
    pool = ThreadPoolExecutor(max(1, len(wanted)))
    asked = {name: pool.submit(probe, os.environ.get(name, "")) for name, probe in wanted.items()}
    wrong, doubtful = [], []
    for name, answer in asked.items():
        try:
            answer.result(CONNECT_SECONDS + LOOKUP_SECONDS)
        except Exception as error:  # whatever the libraries raise
            reason = " ".join(str(error).split()) or f"no answer in {CONNECT_SECONDS} s"
            if name in later:
                doubtful.append(f"{name}: {later[name][0]} does not answer ({reason})")
            else:
                wrong.append(f"{name}: the server does not answer ({reason})")
    return wrong, doubtful


def ask_postgres(url: str) -> None:
    """Connects to PostgreSQL."""
    import psycopg

    psycopg.connect(url, connect_timeout=CONNECT_SECONDS).close()


def ask_valkey(url: str) -> None:
    """Pings Valkey; of a cluster it reaches one node."""
    if "+cluster" in url:
        reach(url, 6379)
        return
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    patience = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": CONNECT_SECONDS}
    with Redis.from_url(url, retry=Retry(NoBackoff(), 0), **patience) as client:
        client.ping()


def ask_mail_server(url: str) -> None:
    """Waits for the greeting of a mail server; one that begins with TLS says nothing before."""
    with reach(url or "smtp://127.0.0.1:1025", 25) as connection:
        if urlsplit(url).scheme != "smtps" and not connection.recv(3).startswith(b"220"):
            raise OSError("it does not speak SMTP")


def ask_brokers(servers: str) -> None:
    """Connects to one broker of Kafka; it names the others."""
    failures = []
    for server in servers.split(","):
        try:
            return reach(f"kafka://{server.strip()}", 9092).close()
        except OSError as error:
            failures.append(error)
    raise failures[0]


def reach(url: str, port: int) -> socket.socket:
    """A connection to the host of a URL."""
    parts = urlsplit(url)
    return socket.create_connection(
        (parts.hostname or "", parts.port or port), timeout=CONNECT_SECONDS
    )


if __name__ == "__main__":
    main(sys.argv[1:])
