"""The report of a run, as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.measure import Measurement

HEAD = """# Measured

CPU time per request in microseconds, from the kernel's accounting, summed over all server
processes and split by process. Two shared cores, the load from the same machine: read the ratios.

"""


def write_report(path: Path, found: Sequence[Measurement]) -> None:
    """Writes the table to `path`."""
    parts = list(found[0].microseconds)
    columns = ["work", "concurrency", "CPU us", *parts, "req/s", "p50 ms", "p95", "p99", "errors"]
    rows = [columns, ["---"] * len(columns), *(_row(one, parts) for one in found)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    path.write_text(HEAD + "\n".join(lines) + "\n")


def _row(one: Measurement, parts: Sequence[str]) -> list[str]:
    return [
        one.name,
        str(one.concurrency),
        f"{one.total:.0f}",
        *(f"{one.microseconds[part]:.0f}" for part in parts),
        f"{one.rate:.0f}",
        *(f"{one.result.percentile(share):.1f}" for share in (0.5, 0.95, 0.99)),
        str(one.result.errors),
    ]
