"""From jobs to Celery tasks: each runs on the shared event loop, and fails quietly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from celery import Celery

from portico_kit.tasks.failures import log_failures
from server.feature import Job
from workers.loop import LoopThread


def add_tasks(app: Celery, jobs: Mapping[str, Job], loop: LoopThread) -> None:
    """Makes each job a task, by its name."""
    for name, job in jobs.items():
        app.task(_task(name, job, loop), name=name)


def _task(name: str, job: Job, loop: LoopThread) -> Callable[[], None]:
    async def run() -> None:
        with log_failures("task_failed", task=name):
            await job()

    def task() -> None:
        loop.run(run())

    return task
