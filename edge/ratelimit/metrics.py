"""What Prometheus is told of the decisions."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from functools import cache

from prometheus_client import Counter

from edge.ratelimit.decision import Standings
from edge.ratelimit.question import Question

# A window is nearly used up when no more than this part of it is left.
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
    """Finding the counter by its labels costs more than counting."""
    return counter.labels(*labels)


class Batch:
    """Gathers what there is to count of a batch, for counting is locking."""

    def __init__(self) -> None:
        self._tally: Tally[tuple[Counter, str, str]] = Tally()

    def decided(self, question: Question, admitted: bool, standings: Standings) -> None:
        """Notes a decision, and the windows that it left nearly or more than used up."""
        self._tally[DECISIONS, question.rule, "admitted" if admitted else "refused"] += 1
        if not admitted or not standings.shares:
            return
        if min(standings.shares) <= NEAR_SHARE:
            self._note(NEAR_LIMIT, question, [share <= NEAR_SHARE for share in standings.shares])
        if standings.over:
            self._note(SHADOWED, question, standings.over)

    def unavailable(self, question: Question) -> None:
        """Notes a question that could not be decided."""
        self._tally[DECISIONS, question.rule, "unavailable"] += 1

    def count(self) -> None:
        """Tells Prometheus."""
        for (counter, *labels), number in self._tally.items():
            _labelled(counter, *labels).inc(number)

    def _note(self, counter: Counter, question: Question, flags: Sequence[bool]) -> None:
        shape = question.shape
        for window, rule, flag in zip(shape.windows, shape.rules, flags, strict=True):
            if flag:
                self._tally[counter, rule, window.name] += 1
