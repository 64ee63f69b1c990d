"""The counts in Valkey: charges batches of requests by the script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from redis.exceptions import ResponseError

from edge.ratelimit.connection import Script, ScriptCommand, ScriptExecutor
from edge.ratelimit.decision import Counts
from edge.ratelimit.request import LimitRequest
from edge.ratelimit.script import CHARGE

log = structlog.get_logger("ratelimit")

Counted = tuple[int, Counts]

_CHARGE = Script(CHARGE)


class Counters:
    """Charges requests, any number of them in one round trip."""

    def __init__(self, executor: ScriptExecutor) -> None:
        """Takes what executes the script."""
        self._executor = executor

    def charge(self, requests: Sequence[LimitRequest], now: int) -> Sequence[Counted | None]:
        """Decides each request in turn: all of its windows are charged, or none.

        Those of a hash slot are one command. Without a cluster, all are of slot 0.

        Args:
            requests: at least one.
            now: the moment of all of them, Unix milliseconds.

        Returns:
            For each request the script's verdict and the counts of its windows,
            or None if Valkey did not answer.
        """
        groups: dict[int, list[LimitRequest]] = {}
        for request in requests:
            groups.setdefault(request.slot, []).append(request)
        commands = [_command(slot, group, now) for slot, group in groups.items()]
        answers = self._executor.execute(commands)
        counted = {
            slot: self._each_alone(group, now)
            if _is_spoilt(group, answer)
            else _read(group, answer)
            for (slot, group), answer in zip(groups.items(), answers, strict=True)
        }
        if len(counted) == 1:
            return counted.popitem()[1]
        each = {slot: iter(found) for slot, found in counted.items()}
        return [next(each[request.slot]) for request in requests]

    def _each_alone(self, requests: Sequence[LimitRequest], now: int) -> Sequence[Counted | None]:
        """Decides requests of which one made the script fail, which has charged none of them."""
        return [self.charge([request], now)[0] for request in requests]


def _is_spoilt(requests: Sequence[LimitRequest], answer: Any) -> bool:
    """Whether one of several requests made the script fail for all of them."""
    return len(requests) > 1 and isinstance(answer, ResponseError) and "user_script" in str(answer)


def _command(slot: int, requests: Sequence[LimitRequest], now: int) -> ScriptCommand:
    keys: list[bytes] = []
    arguments = [b"%d" % now]
    for request in requests:
        keys += request.keys
        arguments.append(request.plan_at(now).argument)
    return ScriptCommand(_CHARGE, slot, keys, arguments)


def _read(requests: Sequence[LimitRequest], answer: Any) -> Sequence[Counted | None]:
    """The script returns a number for each request, followed by a string for each budget."""
    if isinstance(answer, Exception):
        log.warning("valkey_unavailable", error=type(answer).__name__)
        return [None] * len(requests)
    counted, at = [], 0
    for request in requests:
        plan = request.plan
        following = at + 1 + plan.budgets
        counted.append((answer[at], plan.unpack_counts(b"".join(answer[at + 1 : following]))))
        at = following
    return counted
