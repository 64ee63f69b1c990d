"""How long receivers took, as counts by class: of any number of responses, the same few numbers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

# The upper ends of the classes, in milliseconds; whatever takes longer is in one more.
BOUNDS = (
    *(1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700),
    *(1000, 1500, 2000, 3000, 5000, 7000, 10_000, 15_000, 20_000, 30_000),
)
CLASSES = len(BOUNDS) + 1


def latency_class(duration_ms: int) -> int:
    """The place of the class that a duration belongs to."""
    return bisect_left(BOUNDS, duration_ms)


def percentiles(counts: Sequence[int], shares: Iterable[float]) -> list[int]:
    """Durations in milliseconds that these shares of the responses did not exceed.

    Within a class, responses are taken to lie evenly. Longer than the last bound is
    that bound.

    Args:
        counts: responses by class; at least one.
        shares: each above 0, at most 1.
    """
    ends = list(accumulate(counts))
    return [_percentile(counts, ends, share * ends[-1]) for share in shares]


def _percentile(counts: Sequence[int], ends: Sequence[int], rank: float) -> int:
    place = bisect_left(ends, rank)
    if place >= len(BOUNDS):
        return BOUNDS[-1]
    lower = BOUNDS[place - 1] if place else 0
    inside = (rank - (ends[place] - counts[place])) / counts[place]
    return round(lower + (BOUNDS[place] - lower) * inside)
