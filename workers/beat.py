"""The beat process: asks for each task of the schedule when its time has come."""

from __future__ import annotations

from typing import Any

import structlog
from celery.beat import PersistentScheduler, ScheduleEntry

from server.settings import WorkerSettings
from workers.app import create_app
from workers.broker import connect_patiently

log = structlog.get_logger("beat")


class PatientScheduler(PersistentScheduler):  # type: ignore[misc]  # Celery has no types
    """Celery's scheduler, for a broker that may be away at any time and for however long."""

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Sends one task; one that cannot be sent is left to its next turn."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:
            log.warning("notify_failed", task=entry.task, error=str(error)[:200])

    def _ensure_connected(self) -> Any:
        return connect_patiently(self.connection)


def keep_time(settings: WorkerSettings) -> None:
    """Runs until SIGTERM or SIGINT."""
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
