"""`portico run`: starts everything, waits for a signal or a death, stops everything."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine
from typing import Any

from cli.run import console
from cli.run.check import check
from cli.run.errors import RunError
from cli.run.journal import Journal
from cli.run.logs import keep_small
from cli.run.plan import make_plan
from cli.run.probes import request
from cli.run.settings import Settings, read_settings
from cli.run.state import load_secrets, owned_state
from cli.run.supervisor import Supervisor
from cli.run.watchdog import Watchdog
from portico_kit.start import StartError, require_free

READY_PATH = "/api/v1/health/ready"
READY_SECONDS = 60.0
POLL_SECONDS = 0.05


def main() -> int:
    """Runs the platform until it is told to stop.

    Returns:
        0 after a signal, 1 if something failed.
    """
    try:
        for line in check(os.environ):
            console.warning(line)
        settings = read_settings(os.environ)
        with owned_state(settings) as lock, Watchdog(holds=(lock,)) as watchdog:
            for variable, (host, port) in settings.listeners().items():
                require_free(host, port, variable)
            asyncio.run(supervise(settings, watchdog))
    except RunError as error:
        console.failure(error)
        return 1
    except StartError as error:
        console.failure(RunError(str(error)))
        return 1
    return 0


async def supervise(settings: Settings, watchdog: Watchdog) -> None:
    """Starts the platform and keeps it until SIGINT, SIGTERM or SIGHUP.

    A second signal ends the children without waiting for them.
    """
    journal = Journal(settings.logs_dir / "run.log")

    def report_death(reason: str, seconds: float) -> None:
        console.restarting(reason, seconds)
        journal.write("restarting", reason=reason, seconds=seconds)

    def report_ready(name: str, seconds: float | None) -> None:
        console.step_done(name, seconds)
        journal.write("ready", part=name, seconds=round(seconds or 0, 3))

    supervisor = Supervisor(
        make_plan(settings, load_secrets(settings.state_dir), os.environ),
        watchdog,
        report=report_ready,
        report_death=report_death,
        report_problem=console.warning,
    )
    logs = asyncio.create_task(
        keep_small(supervisor.logs, round(settings.log_megabytes * 1_000_000))
    )
    signals = Signals()
    try:
        await signals.interrupt(serve(settings, supervisor))
    except RunError as error:
        journal.write("failed", reason=str(error))
        raise
    finally:
        console.say("Stopping.")
        await signals.interrupt(supervisor.stop())
        await supervisor.kill()
        logs.cancel()
        journal.write("stopped")


async def serve(settings: Settings, supervisor: Supervisor) -> None:
    """Starts everything, says so, and from then on starts again what dies."""
    began = time.monotonic()
    console.say(f"Starting Portico in {settings.state_dir}")
    await supervisor.guard(supervisor.start())
    await supervisor.guard(answer_ready(settings))
    console.addresses(settings, time.monotonic() - began)
    await supervisor.keep()


async def answer_ready(settings: Settings) -> None:
    """Waits until the platform calls itself ready, through the front door."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        status, body = await asyncio.to_thread(
            request, settings.rest_address, settings.rest_port, "GET", READY_PATH
        )
        if status == 200:
            return
        if time.monotonic() > deadline:
            raise RunError(
                f"the platform was not ready after {READY_SECONDS:.0f} s: see {settings.logs_dir}",
                (f"GET {READY_PATH}: {status} {body}",),
            )
        await asyncio.sleep(POLL_SECONDS)


class Signals:
    """Turns the signals that ask to stop into the end of whatever is being done."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked.set)

    async def interrupt(self, work: Coroutine[Any, Any, None]) -> None:
        """Does `work` until it is done or the next signal comes, whichever is first."""
        self._asked.clear()
        task = asyncio.ensure_future(work)
        asked = asyncio.ensure_future(self._asked.wait())
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()
