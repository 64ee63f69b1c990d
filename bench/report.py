"""The report of a run, in Markdown."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.limiter import BASELINE, Decision
from bench.measure import Measurement
from bench.sign_in import Rate, SignIn
from bench.streams import StreamFindings
from bench.webhooks import Waits, WebhookFindings, cpu_time

OURS = "Portico"
HYDRA = "Hydra"
POINTS = (0.5, 0.95, 0.99, 0.999)
HEAD = """# Measured

{date}. CPU time in microseconds, from the kernel's accounting, summed over all server processes
and split by process. The load comes from the same machine: read the ratios. "Ours beside it" is
our CPU time as a part of that baseline's at the same concurrency. docs/performance.md says how
each figure comes about.

![CPU time per request by process](results.svg)
"""


@dataclass(frozen=True)
class Findings:
    """Everything that a run has found."""

    reads: Sequence[Measurement]
    writes: Sequence[Measurement]
    refreshes: Sequence[Measurement]
    verifications: Sequence[Measurement]
    oauth: Sequence[Measurement]
    decisions: Sequence[Decision]
    sign_in: SignIn
    webhooks: WebhookFindings
    streams: StreamFindings


def write_report(path: Path, found: Findings) -> None:
    """Writes all tables to `path`."""
    sections = [
        HEAD.format(date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
        "## Reads\n",
        table_of(found.reads),
        "\n## Writes\n",
        table_of(found.writes),
        "\n## Refresh of a session\n\nEach session goes on with the token that it got.\n",
        table_of(found.refreshes),
        "\n## One API key verification\n\nCold: each key for the first time. Warm: again.\n",
        table_of(found.verifications),
        "\n## Tokens for applications\n\nOurs at the core, over gRPC. The baselines over HTTP:"
        " oidc-provider with all that it remembers in memory, Hydra with the cheapest hash of"
        " secrets that it takes; its JWTs are by RS256 with 4096 bits.\n",
        table_of(found.oauth) + ("" if _has_hydra(found.oauth) else NO_HYDRA),
        "\n## One limit decision\n",
        _decisions(found.decisions),
        "\n## Sign-in\n",
        _sign_in(found.sign_in),
        "\n## Webhooks\n",
        _webhooks(found.webhooks),
        "\n## Streams of events\n",
        _table(["what", "found"], found.streams.rows()),
    ]
    path.write_text("\n".join(sections) + "\n")


def _has_hydra(found: Sequence[Measurement]) -> bool:
    return any(one.service == HYDRA for one in found)


def ratio(one: Measurement, all_of_them: Sequence[Measurement]) -> float | None:
    """Our CPU time as a part of this baseline's; None for our own."""
    for other in all_of_them:
        same = (other.work, other.concurrency) == (one.work, one.concurrency)
        if same and other.service == OURS != one.service:
            return other.total / one.total
    return None


def table_of(found: Sequence[Measurement]) -> str:
    """Measurements as a table."""
    columns = ["work", "conc.", "by", "CPU us", "ours beside it", "of which", "req/s"]
    columns += ["p50 ms", "p95", "p99", "p99.9", "errors"]
    order = {one.work: None for one in found}
    rows = [
        _measurement(one, found)
        for work in order
        for one in sorted(
            (each for each in found if each.work == work), key=lambda each: each.concurrency
        )
    ]
    return _table(columns, rows)


def _measurement(one: Measurement, found: Sequence[Measurement]) -> list[str]:
    beside = ratio(one, found)
    return [
        one.work,
        str(one.concurrency),
        one.service,
        f"{one.total:.0f}",
        "" if beside is None else f"{beside:.2f}x",
        ", ".join(f"{name} {spent:.0f}" for name, spent in one.microseconds.items()),
        f"{one.rate:.0f}",
        *(f"{one.result.percentile(share):.1f}" for share in POINTS),
        str(one.result.errors),
    ]


def _decisions(found: Sequence[Decision]) -> str:
    columns = ["conc.", "callers", "by", "CPU us", "ours beside it", "of which", "per s"]
    columns += ["p50 ms", "p95", "p99", "p99.9", "errors", "bytes a caller"]
    order = {one.load: None for one in found}
    rows = [_decision(one, found) for load in order for one in found if one.load == load]
    note = "" if any(one.service == BASELINE for one in found) else NO_GO
    return _table(columns, rows) + note


NO_HYDRA = "\n\nWithout Hydra: it could not be built on this machine.\n"
NO_GO = "\n\nWithout envoyproxy/ratelimit: it could not be built on this machine.\n"


def _decision(one: Decision, found: Sequence[Decision]) -> list[str]:
    figures, total = one.figures, decision_cost(one)
    mine = [each for each in found if each.load == one.load and each.service == OURS]
    micro = 1e6 / one.load.requests
    return [
        str(one.load.concurrency) + (f" at {one.load.rate}/s" if one.load.rate else ""),
        f"{one.load.subjects:,}",
        one.service,
        f"{total:.0f}",
        "" if one.service == OURS else f"{decision_cost(mine[0]) / total:.2f}x",
        f"service {figures.service * micro:.0f}, valkey {figures.valkey * micro:.0f}",
        f"{one.load.requests / figures.took:.0f}",
        *(f"{figures.percentile(share):.1f}" for share in POINTS),
        str(figures.errors),
        str(one.room or ""),
    ]


def decision_cost(one: Decision) -> float:
    """CPU time of a decision in microseconds."""
    return (one.figures.service + one.figures.valkey) / one.load.requests * 1e6


def _sign_in(found: SignIn) -> str:
    rows = [
        ["bcrypt alone, all processors", f"{found.hashes:.1f} a second"],
        ["CPU time of such a hash", f"{found.hash_milliseconds:.1f} ms"],
        *_rate("from the device of before", found.returning, found),
        *_rate("from a new device", found.arriving, found),
        *_rate("with the code of an app", found.with_factor, found),
        ["other requests, nobody signs in", _points(found.idle)],
        ["other requests, sign-ins fill the machine", _points(found.meanwhile)],
        ["a good sign-in behind 60 wrong ones", f"{found.behind_strangers:.1f} s"],
        ["other requests meanwhile", _points(found.beside_strangers)],
    ]
    return _table(["what", "found"], rows)


def _rate(whence: str, rate: Rate, found: SignIn) -> list[list[str]]:
    """A rate beside that of the hash, which shares its processors with the load generator, and
    the share of the hash in the CPU time of a sign-in, which does not."""
    share = found.hash_milliseconds / rate.milliseconds
    return [
        [f"sign-ins {whence}", f"{rate.logins:.1f} a second, {rate.errors} failed"],
        ["rate beside the hash alone", f"{rate.logins / found.hashes:.0%}"],
        ["CPU time of one, all parts", f"{rate.milliseconds:.1f} ms"],
        ["the hash alone, of that", f"{share:.0%}"],
    ]


# What the server of Svix took for the same, measured on two cores beside other work. Its events
# came through its API, whose cost is in the figure for one endpoint.
SVIX = {10: "0.71 to 0.80 ms", 1: "2.45 to 3.36 ms"}
SVIX_WAIT = "p50 7 to 9 ms, p99 33 to 35 ms"


def _webhooks(found: WebhookFindings) -> str:
    rows = [
        ["to the first attempt, nobody else there", _wait(found.alone), ""],
        ["the same, fifty events a second", _wait(found.steady), SVIX_WAIT],
        ["CPU time of these", cpu_time(found.steady.cpu_ms), ""],
        [
            "beside 5 tenants of 100 hanging webhooks, an event a second each",
            _wait(found.beside_hanging),
            "",
        ],
    ]
    rows += [
        [f"deliveries, {one.webhooks} webhooks of one tenant", str(one), SVIX[one.webhooks]]
        for one in found.throughput
    ]
    return _table(["what", "found", "Svix"], rows)


def _wait(waits: Waits) -> str:
    half, most = waits.percentile(0.5), waits.percentile(0.99)
    return (
        f"p50 {half:.0f} ms, p99 {most:.0f} ms, {waits.missing} never, "
        f"{waits.pending} deliveries pending at the end"
    )


def _points(points: tuple[float, float]) -> str:
    return f"p50 {points[0]:.1f} ms, p99 {points[1]:.1f} ms"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
