"""The counts in Valkey: hands a batch of questions to the script and reads its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from redis.exceptions import ResponseError

from edge.ratelimit.connection import Script, ScriptCommand, ScriptExecutor
from edge.ratelimit.decision import Counts
from edge.ratelimit.question import Question
from edge.ratelimit.script import CHARGE

log = structlog.get_logger("ratelimit")

Counted = tuple[int, Counts]

_CHARGE = Script(CHARGE)


class Counters:
    """Charges questions: any number of them in one round trip."""

    def __init__(self, executor: ScriptExecutor) -> None:
        """Takes what executes the script."""
        self._executor = executor

    def charge(self, questions: Sequence[Question], now: int) -> Sequence[Counted | None]:
        """Decides each question in turn: all of its windows are charged, or none.

        Those of a slot are one call. Without a cluster, all are of slot 0.

        Args:
            questions: at least one.
            now: the moment of all of them, Unix milliseconds.

        Returns:
            For each question the script's verdict and the counts of its windows,
            or None if Valkey did not answer.
        """
        groups: dict[int, list[Question]] = {}
        for question in questions:
            groups.setdefault(question.slot, []).append(question)
        commands = [_command(slot, group, now) for slot, group in groups.items()]
        answers = self._executor.execute(commands)
        counted = {
            slot: self._each_alone(group, now) if _spoilt(group, answer) else _read(group, answer)
            for (slot, group), answer in zip(groups.items(), answers, strict=True)
        }
        if len(counted) == 1:
            return counted.popitem()[1]
        each = {slot: iter(found) for slot, found in counted.items()}
        return [next(each[question.slot]) for question in questions]

    def _each_alone(self, questions: Sequence[Question], now: int) -> Sequence[Counted | None]:
        """Decides questions of which one makes the script fail, which has charged nobody then."""
        return [self.charge([question], now)[0] for question in questions]


def _spoilt(questions: Sequence[Question], answer: Any) -> bool:
    """Whether one of several questions cost the others their answer."""
    return len(questions) > 1 and isinstance(answer, ResponseError) and "user_script" in str(answer)


def _command(slot: int, questions: Sequence[Question], now: int) -> ScriptCommand:
    keys: list[bytes] = []
    arguments = [b"%d" % now]
    for question in questions:
        keys += question.keys
        arguments.append(question.shaped(now).argument)
    return ScriptCommand(_CHARGE, slot, keys, arguments)


def _read(questions: Sequence[Question], answer: Any) -> Sequence[Counted | None]:
    """The script answers a number for each question, and then a string for each budget."""
    if isinstance(answer, Exception):
        log.warning("valkey_unavailable", error=type(answer).__name__)
        return [None] * len(questions)
    counted, at = [], 0
    for question in questions:
        shape = question.shape
        following = at + 1 + shape.budgets
        counted.append((answer[at], shape.counts(b"".join(answer[at + 1 : following]))))
        at = following
    return counted
