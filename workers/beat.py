"""Beat: asks for each task of the schedule when its time has come.

It is a process of its own, or a thread of the only worker: a second Python
would cost 40 MB to send a few messages in a minute.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery
from celery.beat import PersistentScheduler, ScheduleEntry, Service

from server.settings import WorkerSettings
from workers.app import create_app
from workers.broker import connect_patiently

log = structlog.get_logger("beat")

# The longest that a thread sleeps, so that it ends soon when the worker does.
TICK_SECONDS = 1.0
STOP_SECONDS = 3.0


class PatientScheduler(PersistentScheduler):  # type: ignore[misc]  # Celery has no types
    """Celery's scheduler, for a broker that may be away at any time and for however long."""

    # Ends the waiting for a broker: raises if the thread shall stop.
    every_second: Callable[[], None] | None = None

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Sends one task; one that cannot be sent is left to its next turn."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:
            log.warning("notify_failed", task=entry.task, error=str(error)[:200])

    def _ensure_connected(self) -> Any:
        return connect_patiently(self.connection, self.every_second)


class BeatThread:
    """Beat beside a worker. If it ends before it is stopped, so must the worker.

    Args:
        app: the Celery application of the worker.
        schedule_file: where it remembers what ran when.
        on_failure: called from the thread if it has ended by itself.
    """

    def __init__(self, app: Celery, schedule_file: str, on_failure: Callable[[], None]) -> None:
        self._stopping = threading.Event()
        self._on_failure = on_failure
        self._service = Service(
            app,
            max_interval=TICK_SECONDS,
            schedule_filename=schedule_file,
            scheduler_cls=PatientScheduler,
            remote_control=False,
        )
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        """Begins to keep time."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it, and waits a moment for what it remembers to be written."""
        self._stopping.set()
        self._service.stop()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            self._service.scheduler.every_second = self._end_if_stopping
            self._service.start()
        except Exception:
            log.exception("beat_failed")
        finally:
            if not self._stopping.is_set():
                self._on_failure()

    def _end_if_stopping(self) -> None:
        if self._stopping.is_set():
            raise SystemExit


def keep_time(settings: WorkerSettings) -> None:
    """Runs as a process until SIGTERM or SIGINT."""
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    app = create_app(settings.redis_url)
    beat = app.Beat(
        scheduler_cls=PatientScheduler, schedule=str(settings.schedule_file), quiet=True
    )
    log.info("started")
    try:
        beat.run()
    finally:
        log.info("stopped")
