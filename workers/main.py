"""`portico worker` and `portico beat`. Each loads only what it needs itself."""

from __future__ import annotations

import sys

from portico_kit.settings import read
from portico_kit.start import one_line
from server.settings import WorkerSettings
from workers import logs


def worker() -> None:
    """Runs the tasks until SIGTERM or SIGINT."""
    settings = read(WorkerSettings)
    logs.configure("worker", settings.log_level)
    from workers.worker import work

    with one_line("worker"):
        sys.exit(work(settings))


def beat() -> None:
    """Asks for the sweeps and the housekeeping until SIGTERM or SIGINT."""
    settings = read(WorkerSettings)
    logs.configure("beat", settings.log_level)
    from workers.beat import keep_time

    keep_time(settings)
