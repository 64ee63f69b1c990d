"""`portico worker` and `portico beat`: the Celery processes."""

from __future__ import annotations

import sys

import structlog

from server.settings import read
from workers import logs
from workers.app import add_tasks, create_app
from workers.context import build
from workers.heartbeat import add_heartbeat
from workers.loop import LoopThread
from workers.schedule import PatientScheduler
from workers.settings import WorkerSettings

log = structlog.get_logger("workers")


def worker() -> None:
    """Works until SIGTERM or SIGINT; what is under way then gets a few seconds to finish."""
    settings = read(WorkerSettings)
    logs.configure("worker", settings.log_level)
    loop = LoopThread()
    context = loop.run(build(settings))
    app = create_app(settings.redis_url)
    add_tasks(app, context.jobs, loop)
    add_heartbeat(app, context.redis, loop)
    process = app.Worker(
        # Threads only wait: the work is done on the one event loop.
        pool="threads",
        concurrency=settings.worker_concurrency,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
        quiet=True,
    )
    log.info("started", concurrency=settings.worker_concurrency)
    process.start()
    loop.run(context.close())
    loop.stop()
    log.info("stopped")
    sys.exit(process.exitcode)


def beat() -> None:
    """Asks for the sweeps and the housekeeping until SIGTERM or SIGINT."""
    settings = read(WorkerSettings)
    logs.configure("beat", settings.log_level)
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    app = create_app(settings.redis_url)
    log.info("started")
    app.Beat(scheduler_cls=PatientScheduler, schedule=str(settings.schedule_file), quiet=True).run()
