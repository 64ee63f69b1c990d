"""Starts the `portico` command as a person would, and sees what it leaves behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from portico_kit.testing.waiting import wait_until
from tests.stack import environment_for

READY_SECONDS = 60
END_SECONDS = 40


class Run:
    """One `portico` command in the background.

    Args:
        command: the command, for example "run".
        folder: the state folder.
        variables: settings beside those of every test.
    """

    def __init__(self, command: str, folder: Path, variables: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.environment = {**environment_for(folder, {}), **variables}
        self._output = folder / f"{command}.{time.monotonic_ns()}.out"
        with self._output.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli", command],
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._output.read_text()

    def wait_ready(self) -> None:
        """Waits until it says that the platform is ready."""
        wait_until(lambda: self.ended or "Ready after" in self.output, READY_SECONDS)
        assert not self.ended, self.output

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def wait(self) -> int:
        """Waits for its end and gives the exit code."""
        return self._process.wait(END_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Sends it, and it alone, a signal."""
        self._process.send_signal(number)

    def family(self) -> list[psutil.Process]:
        """Every process that it started, directly or not."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def member(self, word: str) -> psutil.Process:
        """The process whose command line ends with a word."""
        return next(each for each in self.family() if each.cmdline()[-1:] == [word])

    def discard(self) -> None:
        """Ends it if a test has not."""
        if not self.ended:
            self.send(signal.SIGTERM)
            self.wait()


@contextmanager
def running(folder: Path, **variables: str) -> Iterator[Run]:
    """The whole platform in a folder, ready, and ended after the block if it has not ended."""
    platform = Run("run", folder, variables)
    try:
        platform.wait_ready()
        yield platform
    finally:
        platform.discard()


def all_gone(family: list[psutil.Process], seconds: float) -> bool:
    """Whether every process of a family ends within some seconds."""
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
