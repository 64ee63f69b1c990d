"""What a person sees while the platform starts, runs and stops."""

from __future__ import annotations

import sys

from cli.run.errors import RunError
from cli.run.settings import Settings

TITLES = {
    "postgres": "PostgreSQL",
    "valkey": "Valkey",
    "migrate": "Migrations",
    "core": "Core",
    "authorize": "Authorize",
    "ratelimit": "Rate limits",
    "worker": "Worker",
    "beat": "Beat",
    "mailbox": "Mailbox",
    "gateway": "Gateway",
}


def say(line: str = "") -> None:
    """Prints a line at once, whoever reads it."""
    print(line, flush=True)


def step_done(name: str, seconds: float | None) -> None:
    """Says that a step is ready and how long it took, or that it was started."""
    took = " started" if seconds is None else f"{seconds:6.1f} s"
    say(f"  {TITLES.get(name, name):<14}{took}")


def addresses(settings: Settings, seconds: float) -> None:
    """Says where everything answers."""
    say(f"Ready after {seconds:.1f} s.")
    say()
    say(f"  REST     {settings.base_url}/api/v1")
    say(f"  gRPC     127.0.0.1:{settings.grpc_port}")
    if settings.mailbox:
        say(f"  Mailbox  http://127.0.0.1:{settings.mailbox_port}")
    say(f"  Logs     {settings.logs_dir}")
    say()
    say("Ctrl-C stops everything and loses nothing.")


def failure(error: RunError) -> None:
    """Says what went wrong and what to do, after the details that explain it."""
    for line in error.details:
        print(f"  | {line}", file=sys.stderr)
    print(f"portico: {error}", file=sys.stderr, flush=True)
