"""Waking the workers: a Celery message after the commit, and only a courtesy.

What is to be done stands in PostgreSQL. If the broker is down nothing is lost
and nobody waits: the workers' sweep finds the rows.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog
from celery import Celery

log = structlog.get_logger("notifier")

# Before all of Celery's own keys, so that the database can be shared.
KEY_PREFIX = "portico:celery:"
# The workers set it again and again; it expires soon after they stop.
WORKERS_ALIVE = "portico:workers:alive"


class TaskNotifier(Protocol):
    """Tells the workers that there is something to do."""

    def notify(self, task: str) -> None:
        """Asks for a run of the task, soon; never blocks and never fails."""
        ...


class CeleryTaskNotifier:
    """Sends the task by its name. Calls for the same task that is not yet sent become one."""

    def __init__(self, broker_url: str) -> None:
        self._app = celery_client(broker_url)
        # Celery's client blocks; one thread keeps that away from the event loop.
        self._thread = ThreadPoolExecutor(1, "notifier")
        self._pending: set[str] = set()

    def notify(self, task: str) -> None:
        """Asks for a run of the task, soon; never blocks and never fails."""
        if task in self._pending:
            return
        self._pending.add(task)
        asyncio.get_running_loop().run_in_executor(self._thread, self._send, task)

    def _send(self, task: str) -> None:
        # Before the sending: a row that is committed from here on needs a message of its own.
        self._pending.discard(task)
        try:
            self._app.send_task(task, retry=False, ignore_result=True)
        except Exception as error:
            log.warning("notify_failed", task=task, error=str(error)[:200])

    def close(self) -> None:
        """Sends what is waiting and lets the thread go."""
        self._thread.shutdown(wait=True)
        self._app.close()


def celery_client(broker_url: str) -> Celery:
    """A Celery client that gives up soon when the broker is down."""
    app = Celery("portico", broker=_kombu_url(broker_url), set_as_current=False)
    app.conf.update(
        broker_connection_timeout=1,
        broker_connection_retry=False,
        broker_transport_options={
            "global_keyprefix": KEY_PREFIX,
            "socket_connect_timeout": 1,
            "socket_timeout": 2,
        },
        task_ignore_result=True,
    )
    return app


def _kombu_url(url: str) -> str:
    """A Redis address as Celery spells it: sockets have a scheme and a database of their own."""
    if not url.startswith("unix://"):
        return url
    return url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)
