"""Metrics of the decisions, for Prometheus."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from functools import cache

from prometheus_client import Counter

from edge.ratelimit.decision import WindowStates
from edge.ratelimit.request import LimitRequest

# A window is nearly used up when no more than this share of its limit remains.
NEAR_SHARE = 0.2

DECISIONS = Counter(
    "portico_ratelimit_decisions_total",
    "Requests by rule and outcome: admitted, refused, or unavailable when nothing could be decided",
    ["rule", "outcome"],
)
NEAR_LIMIT = Counter(
    "portico_ratelimit_near_limit_total",
    "Admitted requests that left a window with a fifth of its limit or less",
    ["rule", "window"],
)
SHADOWED = Counter(
    "portico_ratelimit_shadowed_total",
    "Admitted requests that a window in shadow mode would have refused",
    ["rule", "window"],
)


@cache
def _labelled(counter: Counter, *labels: str) -> Counter:
    """The labelled counter; finding it costs more than counting."""
    return counter.labels(*labels)


class BatchMetrics:
    """Gathers the metrics of a batch, for each increment takes a lock."""

    def __init__(self) -> None:
        self._tally: Tally[tuple[Counter, str, str]] = Tally()

    def decided(self, request: LimitRequest, admitted: bool, states: WindowStates) -> None:
        """Counts a decision, and the windows that it left nearly or more than used up."""
        self._tally[DECISIONS, request.rule, "admitted" if admitted else "refused"] += 1
        if not admitted or not states.shares:
            return
        if min(states.shares) <= NEAR_SHARE:
            self._count_windows(
                NEAR_LIMIT, request, [share <= NEAR_SHARE for share in states.shares]
            )
        if states.over:
            self._count_windows(SHADOWED, request, states.over)

    def unavailable(self, request: LimitRequest) -> None:
        """Counts a request that could not be decided."""
        self._tally[DECISIONS, request.rule, "unavailable"] += 1

    def publish(self) -> None:
        """Adds the batch to the counters."""
        for (counter, *labels), number in self._tally.items():
            _labelled(counter, *labels).inc(number)

    def _count_windows(
        self, counter: Counter, request: LimitRequest, flags: Sequence[bool]
    ) -> None:
        plan = request.plan
        for window, rule, flag in zip(plan.windows, plan.rules, flags, strict=True):
            if flag:
                self._tally[counter, rule, window.name] += 1
