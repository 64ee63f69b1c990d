"""CPU time of processes, as the kernel accounts it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def seconds(pid: int) -> float:
    """User and system time of a process and its descendants, in seconds.

    Those that have ended count with whoever waited for them: a database's process for
    each connection may come and go within a measurement.
    """
    return _own(pid) + sum(seconds(child) for child in _children(pid))


def memory(pid: int) -> tuple[int, int]:
    """Resident (RSS) and proportional (PSS) memory of a process and its descendants, in KiB.

    PSS shares the pages of a file among all who have it in memory: beside a second platform
    of the same environment it is up to a tenth less than it is alone.
    """
    rss, pss = _rollup(pid)
    for child in _children(pid):
        child_rss, child_pss = memory(child)
        rss, pss = rss + child_rss, pss + child_pss
    return rss, pss


def snapshot(pids: Mapping[str, int]) -> dict[str, float]:
    """The CPU seconds so far of each named process."""
    return {name: seconds(pid) for name, pid in pids.items()}


def _own(pid: int) -> float:
    fields = _read(f"/proc/{pid}/stat").rpartition(") ")[2].split()
    if not fields:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS_PER_SECOND


def _children(pid: int) -> list[int]:
    return [int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()]


def _rollup(pid: int) -> tuple[int, int]:
    values = {"Rss": 0, "Pss": 0}
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        name, _, rest = line.partition(":")
        if name in values:
            values[name] = int(rest.split()[0])
    return values["Rss"], values["Pss"]


def _read(path: str) -> str:
    """A file of /proc; empty once the process is gone."""
    try:
        return Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
