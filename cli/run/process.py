"""One child process: how it is started, how it is stopped, and its log."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from cli.run.errors import RunError
from cli.run.logs import Log
from cli.run.watchdog import Watchdog

GRACE_SECONDS = 12.0
TAIL_LINES = 12


@dataclass(frozen=True)
class Command:
    """What to start.

    Args:
        name: what people call the process.
        arguments: the program and its arguments.
        log: where its output goes; see logs.py.
        environment: every variable it sees.
        account: the system user to run as; None for the same one.
        stop_signal: the signal that asks it to end well.
        grace: the seconds that it gets to do so.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = GRACE_SECONDS


class Child:
    """A started process, leader of its own process group."""

    def __init__(
        self, command: Command, process: asyncio.subprocess.Process, log: Log, watchdog: Watchdog
    ) -> None:
        self.command = command
        self.log = log
        self._process = process
        self._watchdog = watchdog
        watchdog.guard(process.pid)

    @property
    def name(self) -> str:
        """What people call the process."""
        return self.command.name

    @property
    def pid(self) -> int:
        """The process id, which is the id of its group too."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code; negative for a signal; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Waits for the end and gives the exit code."""
        code = await self._process.wait()
        self._watchdog.release(self.pid)
        self.log.close()
        return code

    def sweep(self) -> None:
        """Ends what a child that died has left of its group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def stop(self) -> int:
        """Asks the process to end, and ends its group if it does not within its grace.

        Whoever cancels this is in a hurry: the group is ended at once.
        """
        self.send(self.command.stop_signal)
        try:
            async with asyncio.timeout(self.command.grace):
                return await self.wait()
        except TimeoutError:
            return await self.kill()
        except asyncio.CancelledError:
            await self.kill()
            raise

    async def kill(self) -> int:
        """Ends the whole group at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return await self.wait()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process, unless it has ended."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    @property
    def end(self) -> str:
        """How it ended."""
        code = self.exit_code
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def death(self) -> RunError:
        """The error that tells of its end, with the last lines of its log."""
        return RunError(
            f"{self.name} ended with {self.end}: see {self.command.log}", tail(self.command.log)
        )

    def silence(self, seconds: float) -> RunError:
        """The error that tells that it lives and yet does not answer."""
        return RunError(
            f"{self.name} was not ready after {seconds:.0f} s: see {self.command.log}",
            tail(self.command.log),
        )


async def spawn(command: Command, watchdog: Watchdog, *, fresh_log: bool = True) -> Child:
    """Starts a child whose output goes to its log.

    It gets a session of its own: Ctrl-C at the terminal must reach only the
    supervisor, which knows the order in which to stop things.

    Args:
        command: what to start.
        watchdog: the guard that ends the child if we cannot.
        fresh_log: whether the log starts empty; a child that is started again adds to its own.

    Raises:
        RunError: if the program cannot be started.
    """
    log = Log(command.log, fresh=fresh_log)
    try:
        process = await asyncio.create_subprocess_exec(
            *command.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log.descriptor,
            stderr=log.descriptor,
            env=dict(command.environment),
            **credentials(command.account),
            start_new_session=True,
            umask=0o077,
        )
    except BaseException as error:
        log.close()
        if isinstance(error, OSError):
            raise RunError(f"cannot start {command.name}: {error}") from error
        raise
    return Child(command, process, log, watchdog)


class Credentials(TypedDict, total=False):
    """The arguments of a subprocess that choose its account."""

    user: int
    group: int
    extra_groups: list[int]


def credentials(account: str | None) -> Credentials:
    """The user and group to start as; nothing of root's groups is kept."""
    if account is None:
        return {}
    entry = pwd.getpwnam(account)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def tail(log: Path) -> tuple[str, ...]:
    """The last lines of a log."""
    with suppress(OSError):
        return tuple(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
    return ()


def alive(pid: str) -> bool:
    """Whether a process of this number exists."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
