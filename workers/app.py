"""The Celery application: how the workers' processes talk to the broker.

Celery only wakes. What is to be done stands in PostgreSQL, so a message may be
lost, come twice or come late without any harm, and none is kept for long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from celery import Celery

from server.kit.wake import celery_client
from workers.failures import quiet_failure
from workers.loop import LoopThread
from workers.schedule import SCHEDULE

Job = Callable[[], Awaitable[None]]


def create_app(redis_url: str) -> Celery:
    """The application, without any task.

    Args:
        redis_url: redis://, rediss:// or unix://.
    """
    app = celery_client(redis_url)
    app.conf.update(
        beat_schedule=SCHEDULE,
        # The broker may be away at any time, also at the start, and for however long.
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_consumer="workers.consumer:PatientConsumer",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Nobody listens to any of these.
        task_store_errors_even_if_ignored=False,
        worker_enable_remote_control=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
    )
    return app


def add_tasks(app: Celery, jobs: Mapping[str, Job], loop: LoopThread) -> None:
    """Makes each job a task, by its name, that runs on the shared event loop."""
    for name, job in jobs.items():
        app.task(_task(name, job, loop), name=name)


def _task(name: str, job: Job, loop: LoopThread) -> Callable[[], None]:
    async def run() -> None:
        with quiet_failure("task_failed", task=name):
            await job()

    def task() -> None:
        loop.run(run())

    return task
