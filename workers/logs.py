"""Celery's own log lines, in the one form that all of our logs have."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from celery.exceptions import SecurityWarning
from celery.signals import setup_logging

from portico_kit import logs

# Celery tells of every task that comes and goes; our own lines say what was done.
QUIET = ("celery.worker.strategy", "celery.app.trace", "celery.beat", "kombu", "aiohttp")


def configure(process: str, level: str) -> None:
    """Sets up logging for a Celery process, and keeps Celery from doing it its own way.

    Args:
        process: its name, in every line.
        level: "debug", "info", "warning" or "error".
    """
    logs.configure(process, level)
    logging.basicConfig(handlers=[logs.StructlogHandler()], level=level.upper(), force=True)
    logging.captureWarnings(True)
    # What Celery fears of a worker that runs as root are pickled arguments; our tasks have none.
    warnings.simplefilter("ignore", SecurityWarning)
    if level != "debug":
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
    setup_logging.connect(_leave_as_it_is, weak=False)


def _leave_as_it_is(**_: Any) -> None:
    """Celery sets up nothing where somebody listens to this signal."""
