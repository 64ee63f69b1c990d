"""A log that cannot be written changes nothing and holds nobody up."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

FULL = Path("/dev/full")
needs_full_device = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")

# Logs in every way that our processes do, and then says on its standard output that it lives.
PROGRAM = """
import logging, sys, time
import structlog
from portico_kit import logs
logs.configure("tested", "debug")
log = structlog.get_logger("tested")
started = time.monotonic()
for number in range(int(sys.argv[1])):
    log.info("line", number=number, text="x" * 300)
try:
    raise LookupError("for the log")
except LookupError:
    log.exception("surprise")
logging.getLogger("a.library").warning("of %s", "a library")
logging.getLogger("a.library").warning("wrong %d", "arguments")
log.info("unspeakable", what=type("Bad", (), {"__repr__": lambda self: 1 / 0})())
log.info("\\udcff lone surrogate")
print(time.monotonic() - started)
"""


def run(stderr: int, lines: int = 20, before: Callable[[], None] | None = None) -> float:
    """Runs the program with its log there; gives the seconds that logging took it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(lines)],
        stdout=subprocess.PIPE,
        stderr=stderr,
        timeout=30,
        check=True,
        preexec_fn=before,
    )
    return float(done.stdout)


def test_each_line_is_one_object(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        run(file.fileno())
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines[:20]] == ["line"] * 20
    assert {line["process"] for line in lines} == {"tested"}
    assert {"surprise", "of a library"} <= {line["event"] for line in lines}


@needs_full_device
def test_a_full_disk_changes_nothing() -> None:
    with FULL.open("wb") as file:
        assert run(file.fileno()) < 5


def test_a_file_that_must_not_grow_changes_nothing(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    path = tmp_path / "log"
    with path.open("wb") as file:
        assert run(file.fileno(), before=limit) < 5
    assert path.stat().st_size == 1000


def test_a_closed_pipe_changes_nothing() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    assert run(writes) < 5
    os.close(writes)


def test_no_standard_error_at_all_changes_nothing() -> None:
    assert run(subprocess.DEVNULL, before=lambda: os.close(2)) < 5


def test_a_reader_that_stopped_reading_holds_nobody_up() -> None:
    reads, writes = os.pipe()
    assert run(writes, lines=2000) < 2
    os.close(writes)
    os.close(reads)


def test_a_reader_that_is_only_slow_gets_every_line() -> None:
    reads, writes = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "2000"], stdout=subprocess.DEVNULL, stderr=writes
    )
    os.close(writes)
    with os.fdopen(reads, "rb") as log:
        lines = log.read().splitlines()
    assert process.wait(30) == 0
    assert [json.loads(line)["number"] for line in lines[:2000]] == list(range(2000))


def test_after_a_gap_the_log_says_how_much_is_missing() -> None:
    from portico_kit.logs import Sink

    reads, writes = os.pipe()
    sink, line = Sink(writes), "x" * 1000 + "\n"
    started = time.monotonic()
    for _ in range(200):
        sink.write(line)
    assert time.monotonic() - started < 1
    kept = os.read(reads, 1 << 20).count(b"\n")
    sink.write(line)
    told = os.read(reads, 1 << 20).splitlines()
    assert {"event": "log_lines_lost", "level": "warning", "lines": 200 - kept} in [
        json.loads(one) for one in told if one.startswith(b"{")
    ]
    os.close(reads)
    os.close(writes)
