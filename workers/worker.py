"""The worker process: Celery's threads receive, one event loop does the work."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import structlog
from celery import Celery
from celery.apps.worker import Worker
from celery.worker import state
from celery.worker.consumer import Consumer

from portico_kit.gc import freeze_startup_objects
from portico_kit.start import require_free
from server.settings import WorkerSettings
from workers.app import create_app
from workers.broker import connect_patiently
from workers.heartbeat import add_heartbeat
from workers.loop import LoopThread
from workers.tasks import add_tasks
from workers.wiring import build

if TYPE_CHECKING:
    from workers.beat import BeatThread

log = structlog.get_logger("worker")


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer, for a broker that may be away at any time and for however long."""

    def ensure_connected(self, conn: Any) -> Any:
        """Waits until the broker answers; a stop of the worker ends the waiting."""
        self.first_connection_attempt = False
        return connect_patiently(conn, state.maybe_shutdown)


class PlainWorker(Worker):  # type: ignore[misc]  # Celery has no types
    """Celery's worker with the two signals that all of our processes know."""

    def install_platform_tweaks(self, worker: Any) -> None:
        """Lets SIGTERM and SIGINT end the worker once the tasks in hand are done."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)


def _stop(*_: object) -> None:
    state.should_stop = 0  # the exit code


def _fail() -> None:
    state.should_stop = 1


def _beat(app: Celery, settings: WorkerSettings) -> BeatThread | None:
    """Beat in this process, running, if the settings want it here."""
    if not settings.worker_beat:
        return None
    # Imported here: a worker beside a beat of its own has no use for it.
    from workers.beat import BeatThread

    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    beat = BeatThread(app, str(settings.schedule_file), on_failure=_fail)
    beat.start()
    return beat


def _show_metrics(settings: WorkerSettings) -> None:
    """Opens the port that Prometheus reads, if the settings want it."""
    if settings.worker_metrics_port is None:
        return
    # Imported here, see `_beat`.
    from prometheus_client import start_http_server

    require_free("127.0.0.1", settings.worker_metrics_port, "PORTICO_WORKER_METRICS_PORT")
    start_http_server(settings.worker_metrics_port, addr="127.0.0.1")


def work(settings: WorkerSettings) -> int:
    """Works until SIGTERM or SIGINT; what is under way then gets a few seconds to finish.

    Returns:
        The exit code.
    """
    _show_metrics(settings)
    loop = LoopThread()
    wiring = loop.run(build(settings))
    app = create_app(settings.redis_url)
    app.conf.worker_consumer = PatientConsumer
    add_tasks(app, wiring.jobs, loop)
    add_heartbeat(app, wiring.parts.redis, loop)
    worker = PlainWorker(
        app=app,
        # Threads only wait for the event loop.
        pool="threads",
        concurrency=settings.worker_concurrency,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
        quiet=True,
    )
    log.info("started", concurrency=settings.worker_concurrency)
    beat = _beat(app, settings)
    background = [loop.submit(job()) for job in wiring.parts.background]
    freeze_startup_objects()
    worker.start()
    if beat is not None:
        beat.stop()
    for running in background:
        running.cancel()
    loop.run(wiring.close())
    loop.stop()
    log.info("stopped")
    return int(worker.exitcode or 0)
