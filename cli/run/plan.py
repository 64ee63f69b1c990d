"""From settings to steps: what is started, after what, and how each is seen to work."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from cli.run.parts import CREDENTIALS, DATABASE, PARTS, VALKEY, Part
from cli.run.postgres import Postgres
from cli.run.probes import tcp_answers, unix_answers
from cli.run.process import GRACE_SECONDS, Command
from cli.run.settings import Settings, within
from cli.run.valkey import Valkey

PREFIX = "PORTICO_"

Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Step:
    """Something to start.

    Args:
        name: what others call it in `after`.
        after: what must be ready before; names that are not in the plan do not count.
        command: makes the command, when its turn has come.
        prepare: makes what the command needs on disk.
        ready: whether it works; None where being alive is all that can be seen.
        once: whether it does its work and ends.
    """

    name: str
    after: tuple[str, ...]
    command: Callable[[], Command]
    prepare: Callable[[], Awaitable[None]] | None = None
    ready: Probe | None = None
    once: bool = False


def embedded_postgres(settings: Settings, *, durable: bool = True) -> Postgres:
    """The embedded PostgreSQL of a platform."""
    home = settings.state_dir / "postgres"
    near = settings.sockets_dir == settings.state_dir
    return Postgres(
        home=home,
        sockets=home if near else settings.sockets_dir / "postgres",
        log=settings.logs_dir / "postgres.log",
        durable=durable,
    )


def embedded_valkey(settings: Settings) -> Valkey:
    """The embedded Valkey of a platform."""
    return Valkey(
        home=settings.state_dir / "valkey",
        socket=settings.runtime_dir / "valkey.sock",
        log=settings.logs_dir / "valkey.log",
    )


def make_plan(
    settings: Settings,
    secrets: Mapping[str, str],
    environ: Mapping[str, str],
    *,
    durable: bool = True,
) -> tuple[Step, ...]:
    """Every step of a start with these settings.

    Args:
        settings: the settings.
        secrets: the secrets of this platform; `environ` goes first.
        environ: the environment of the supervisor, which the parts inherit.
        durable: whether the embedded PostgreSQL survives a crash of the machine.
    """
    steps: list[Step] = []
    if settings.database_url is None:
        steps.append(server_step("postgres", embedded_postgres(settings, durable=durable)))
    if settings.redis_url is None:
        steps.append(server_step("valkey", embedded_valkey(settings)))
    variables = all_variables(settings, secrets, environ)
    wanted = {"mailbox": settings.mailbox, "relay": settings.relay}
    parts = [part for part in PARTS if wanted.get(part.name, True)]
    return (*steps, *(part_step(part, settings, variables) for part in parts))


# One arena for all threads: they hold the interpreter's lock anyway, and each arena keeps
# memory that the others cannot use.
MALLOC = {"MALLOC_ARENA_MAX": "1"}


def all_variables(
    settings: Settings, secrets: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    """What the parts are told, credentials included."""
    return {
        **MALLOC,
        **secrets,
        **given_variables(environ),
        **shared_variables(settings, environ),
        DATABASE: settings.database_url or embedded_postgres(settings).url,
        VALKEY: settings.redis_url or embedded_valkey(settings).url,
    }


def given_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment; an empty setting is one that is not set."""
    return {name: value for name, value in environ.items() if value or not name.startswith(PREFIX)}


def server_step(name: str, server: Postgres | Valkey) -> Step:
    """The step that starts an embedded server."""
    return Step(name, (), server.command, server.prepare, server.ready)


def part_step(part: Part, settings: Settings, variables: Mapping[str, str]) -> Step:
    """The step that starts one of our processes."""
    command = Command(
        name=part.name,
        arguments=(sys.executable, "-m", "cli", part.name),
        log=settings.logs_dir / f"{part.name}.log",
        environment=visible(part, variables),
        grace=GRACE_SECONDS + (settings.stop_seconds if part.name == "gateway" else 0),
    )
    return Step(
        name=part.name,
        after=part.after,
        command=lambda: command,
        ready=probe(part, settings),
        once=part.once,
    )


def visible(part: Part, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables without the credentials that a part has no business with."""
    withheld = set(CREDENTIALS) - set(part.trusted_with)
    return {name: value for name, value in variables.items() if name not in withheld}


def probe(part: Part, settings: Settings) -> Probe | None:
    """How to see that a part listens; None for one that listens on nothing."""
    if part.socket:
        path = settings.runtime_dir / part.socket
        return lambda: unix_answers(path)
    if part.name == "gateway":
        return lambda: tcp_answers(settings.rest_address, settings.rest_port)
    if part.name == "mailbox":
        return lambda: tcp_answers(within(settings.mailbox_host), settings.mailbox_port)
    return None


def shared_variables(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """What every part is told: the settings, complete and with absolute paths."""
    variables = {
        "PORTICO_ENVIRONMENT": settings.environment,
        "PORTICO_STATE_DIR": str(settings.state_dir),
        "PORTICO_RUNTIME_DIR": str(settings.runtime_dir),
        "PORTICO_REST_PORT": str(settings.rest_port),
        "PORTICO_GRPC_PORT": str(settings.grpc_port),
        "PORTICO_MAILBOX_PORT": str(settings.mailbox_port),
        "PORTICO_SMTP_URL": settings.smtp_url,
        # The only worker: beat needs no process of its own.
        "PORTICO_WORKER_BEAT": "true",
        "PORTICO_PUBLIC_URL": environ.get("PORTICO_PUBLIC_URL") or settings.base_url,
    }
    if settings.development:
        # A developer's receiver of webhooks runs on the same machine.
        allowed = environ.get("PORTICO_WEBHOOK_ALLOW_LOOPBACK") or "true"
        variables["PORTICO_WEBHOOK_ALLOW_LOOPBACK"] = allowed
    return variables
