"""The counts in Valkey: hands a batch of questions to the script and reads its answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from edge.ratelimit.decision import Counts
from edge.ratelimit.question import Question
from edge.ratelimit.resp import Call, Script, bulk
from edge.ratelimit.script import CHARGE

_CHARGE = Script(CHARGE)


class Runner(Protocol):
    """Runs calls, as a `Link` does."""

    def run(self, calls: Sequence[Call]) -> list[Any]:
        """The answer to each call."""


class Counters:
    """Charges questions: any number of them in one round trip."""

    def __init__(self, link: Runner) -> None:
        self._link = link

    def charge(self, questions: Sequence[Question], now: int) -> Iterator[tuple[int, Counts]]:
        """Decides each question in turn: all of its windows are charged, or none.

        Args:
            questions: at least one; they must lie on one node of a cluster.
            now: the moment of all of them, Unix milliseconds.

        Returns:
            For each question the script's verdict, and the counts of its windows.

        Raises:
            redis.RedisError: if Valkey does not answer.
        """
        (answer,) = self._link.run([_call(questions, now)])
        return _read(questions, answer)


def _call(questions: Sequence[Question], now: int) -> Call:
    number, keys, arguments = 0, [], [bulk(b"%d" % now)]
    for question in questions:
        shape = question.shaped(now)
        number += shape.budgets
        keys.append(question.keys)
        arguments.append(shape.argument)
    return _CHARGE.call(number, keys, arguments)


def _read(questions: Sequence[Question], answer: Sequence[Any]) -> Iterator[tuple[int, Counts]]:
    """The script answers a number for each question, and then a string for each budget."""
    at = 0
    for question in questions:
        shape = question.shape
        following = at + 1 + shape.budgets
        yield answer[at], shape.counts(b"".join(answer[at + 1 : following]))
        at = following
