"""Shows that a worker is alive, for the readiness of the platform."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep
from celery.worker.consumer import Tasks
from redis.asyncio import Redis

from portico_kit.tasks.failures import log_failures
from portico_kit.tasks.notifier import WORKERS_ALIVE
from workers.loop import LoopThread

INTERVAL = timedelta(seconds=5)
EXPIRES = timedelta(seconds=15)


async def show_alive(redis: Redis) -> None:
    """Says that a worker is alive; it holds for a few seconds."""
    with log_failures("heartbeat_failed"):
        await redis.set(WORKERS_ALIVE, "1", ex=EXPIRES)


def add_heartbeat(app: Celery, redis: Redis, loop: LoopThread) -> None:
    """Has every worker of the application show that it is alive.

    The beat comes from the consumer's own timer, which stands still when the
    broker is lost, and is sent by the event loop: it proves both.
    """

    class Heartbeat(StartStopStep):  # type: ignore[misc]  # Celery has no types
        requires = (Tasks,)

        def start(self, consumer: Any) -> None:
            self.beat()
            self._timer = consumer.timer.call_repeatedly(INTERVAL.total_seconds(), self.beat)

        def stop(self, _consumer: Any) -> None:
            self._timer.cancel()

        def beat(self) -> None:
            loop.submit(show_alive(redis))

    app.steps["consumer"].add(Heartbeat)
