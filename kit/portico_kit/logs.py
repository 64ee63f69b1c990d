"""Logs: one JSON object a line, on standard error.

A log is a courtesy: a disk that is full, a pipe that is closed or that nobody reads changes
no answer and holds nobody up. What cannot be written is lost, and counted.
"""

from __future__ import annotations

import logging
import os
import select
import sys
from threading import Lock
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# So much fits into a pipe that says that it can be written to (POSIX: PIPE_BUF).
CHUNK_BYTES = 4096
# How long a reader that has fallen behind is waited for, in milliseconds: once, until it
# reads again.
PATIENCE_MS = 20


class Sink:
    """A file to which lines are written if that is possible without waiting."""

    def __init__(self, descriptor: int | None) -> None:
        """Takes an open file; without one, all lines are lost."""
        self._descriptor = descriptor
        self._lock = Lock()
        self._stuck = False
        self._lost = 0
        # Whether the last line was cut off: the next one begins on a line of its own.
        self._cut = False

    def write(self, text: str) -> None:
        """Writes a line, or loses it. Never raises."""
        line = text.encode(errors="backslashreplace")
        with self._lock:
            if self._lost:
                line = b'{"event": "log_lines_lost", "level": "warning", "lines": %d}\n%b' % (
                    self._lost,
                    line,
                )
            if self._cut:
                line = b"\n" + line
            self._lost = 0 if self._put(line) else self._lost + 1

    def flush(self) -> None:
        """Has nothing to do: each line is written at once."""

    def _put(self, line: bytes) -> bool:
        """Whether all of a line was written."""
        if self._descriptor is None:
            return False
        rest = memoryview(line)
        try:
            while rest:
                if not self._writable(self._descriptor):
                    break
                rest = rest[os.write(self._descriptor, rest[:CHUNK_BYTES]) :]
        except OSError:
            pass  # ENOSPC, EPIPE, EIO, ...: there is nobody whom this could be reported to
        self._cut = self._cut if len(rest) == len(line) else bool(rest)
        return not rest

    def _writable(self, descriptor: int) -> bool:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        ready = bool(poll.poll(0 if self._stuck else PATIENCE_MS))
        self._stuck = not ready
        return ready


class StructlogHandler(logging.Handler):
    """Hands records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Logs one record."""
        try:
            facts: dict[str, Any] = {"logger": record.name}
            if record.exc_info:
                facts["exc_info"] = record.exc_info
            structlog.get_logger(record.name).log(record.levelno, record.getMessage(), **facts)
        except Exception:
            self.handleError(record)


def configure(process: str, level: str) -> None:
    """Sets up structlog, and the standard library's logging, for a process.

    Args:
        process: its name, in every line.
        level: "debug", "info", "warning" or "error".
    """
    sink = Sink(sys.stderr.fileno() if sys.stderr is not None else None)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _name(process),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=_harmless(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sink),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    # Libraries would write to standard error themselves, and wait for it.
    logging.basicConfig(handlers=[StructlogHandler()], level=logging.WARNING, force=True)
    logging.raiseExceptions = False


def _harmless(level: int) -> type[Any]:
    """A logger from this level on that raises nothing, whatever it is asked to log."""
    filtering: Any = structlog.make_filtering_bound_logger(level)

    class HarmlessLogger(filtering):  # type: ignore[misc]
        def _proxy_to_logger(self, *args: Any, **facts: Any) -> Any:
            try:
                return super()._proxy_to_logger(*args, **facts)
            except Exception:
                return None

    return HarmlessLogger


def _name(process: str) -> Processor:
    """Puts the process into every line, whichever thread writes it."""

    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return add
