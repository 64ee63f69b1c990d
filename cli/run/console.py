"""What a person sees while the platform starts, runs and stops."""

from __future__ import annotations

import os
from contextlib import suppress

from cli.run.errors import RunError
from cli.run.settings import Settings

STDOUT, STDERR = 1, 2
TITLES = {
    "postgres": "PostgreSQL",
    "valkey": "Valkey",
    "migrate": "Migrations",
    "core": "Core",
    "authorize": "Authorize",
    "ratelimit": "Rate limits",
    "web": "Pages",
    "stream": "Event streams",
    "worker": "Worker",
    "mailbox": "Mailbox",
    "gateway": "Gateway",
}


def say(line: str = "", number: int = STDOUT) -> None:
    """Prints a line at once. That nobody can read it (a closed terminal, a full disk) is no error.

    Args:
        line: the line.
        number: the file descriptor to write to.
    """
    with suppress(OSError):
        os.write(number, f"{line}\n".encode(errors="replace"))


def step_done(name: str, seconds: float | None) -> None:
    """Says that a step is ready and how long it took, or that it was started."""
    took = " started" if seconds is None else f"{seconds:6.1f} s"
    say(f"  {TITLES.get(name, name):<14}{took}")


def addresses(settings: Settings, seconds: float) -> None:
    """Says where everything answers."""
    say(f"Ready after {seconds:.1f} s.")
    say()
    say(f"  Pages    {settings.base_url}")
    say(f"  REST     {settings.base_url}/api/v1")
    say(f"  gRPC     {settings.grpc_address}")
    if settings.mailbox:
        say(f"  Mailbox  {settings.mailbox_url}")
    say(f"  Logs     {settings.logs_dir}")
    say()
    say("Ctrl-C stops everything and loses nothing.")


def restarting(reason: str, seconds: float) -> None:
    """Says that a child ended and is started again."""
    say(f"portico: {reason}; starting it again in {seconds:.1f} s", STDERR)


def warning(line: str) -> None:
    """Says what may be wrong and does not keep the platform from running."""
    say(f"portico: {line}", STDERR)


def failure(error: RunError) -> None:
    """Says what went wrong and what to do, after the details that explain it."""
    for line in error.details:
        say(f"  | {line}", STDERR)
    for line in error.lines:
        say(f"portico: {line}", STDERR)
