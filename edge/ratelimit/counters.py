"""The counts in Valkey: hands a batch of questions to the script and reads its answers."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import cast

from redis import Redis

from edge.ratelimit.decision import Count, Decision, standing
from edge.ratelimit.question import Question
from edge.ratelimit.script import CHARGE

_COUNT = struct.Struct("<QIIQ")


class Counters:
    """Charges questions: any number of them in one round trip."""

    def __init__(self, client: Redis) -> None:
        """Takes the connection; the script is loaded at the first use and whenever it is lost."""
        self._run = client.register_script(CHARGE)

    def charge(self, questions: Sequence[Question], now: int) -> list[bytes]:
        """Decides each question in turn: all of its windows are charged, or none.

        Args:
            questions: at least one; they must lie on one node of a cluster.
            now: the moment of all of them, Unix milliseconds.

        Returns:
            For each question its counts, for `decision`.

        Raises:
            redis.RedisError: if Valkey does not answer.
        """
        keys = [key for question in questions for key in question.keys]
        arguments: list[str | bytes | int | float] = [now]
        arguments += [question.packed(now) for question in questions]
        return cast(list[bytes], self._run(keys=keys, args=arguments))


def decision(question: Question, counts: bytes, now: int) -> Decision:
    """What the script has decided, and where the windows stand at a moment."""
    admitted = bool(counts[0])
    rows = zip(question.windows, question.spans, _COUNT.iter_unpack(counts[1:]), strict=True)
    standings = iter(
        [standing(window, span, Count(*row), now, admitted) for window, span, row in rows]
    )
    return Decision(
        now,
        admitted,
        tuple(
            tuple(next(standings) for budget in charge.budgets for _ in budget.windows)
            for charge in question.charges
        ),
    )
