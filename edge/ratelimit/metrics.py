"""What Prometheus is told of the decisions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from prometheus_client import Counter

from edge.ratelimit.decision import Decision
from edge.ratelimit.question import Question

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
def _outcome(rule: str, outcome: str) -> Counter:
    """Finding the counter by its labels costs more than counting."""
    return DECISIONS.labels(rule, outcome)


def count_decision(question: Question, decision: Decision) -> None:
    """Counts a decision, and the windows that it left nearly or more than used up."""
    _outcome(question.charges[0].rule, "admitted" if decision.admitted else "refused").inc()
    if not decision.admitted:
        return
    for charge, standings in zip(question.charges, decision.descriptors, strict=True):
        for one in standings:
            if one.near:
                NEAR_LIMIT.labels(charge.rule, one.window.name).inc()
            if one.over:
                SHADOWED.labels(charge.rule, one.window.name).inc()


def count_unavailable(questions: Sequence[Question]) -> None:
    """Counts questions that could not be decided."""
    for question in questions:
        _outcome(question.charges[0].rule, "unavailable").inc()
