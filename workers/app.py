"""The Celery application: how the workers' processes talk to the broker.

Celery only wakes. What is to be done stands in PostgreSQL, so a message may be
lost, come twice or come late without any harm, and none is kept for long.
"""

from __future__ import annotations

from celery import Celery

from portico_kit.tasks.notifier import celery_client
from workers.schedule import beat_schedule


def create_app(redis_url: str) -> Celery:
    """The application, without any task.

    Args:
        redis_url: redis://, rediss:// or unix://.
    """
    app = celery_client(redis_url)
    app.conf.update(
        beat_schedule=beat_schedule(),
        # The broker may be away at any time, also at the start, and for however long.
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # One that refuses writes is one that is away, see broker.py.
        broker_channel_error_retry=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Nobody listens to any of these.
        task_store_errors_even_if_ignored=False,
        worker_enable_remote_control=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
    )
    return app
