"""The counts in Valkey: hands all windows of a request to the script and reads its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from redis.asyncio import Redis

from edge.ratelimit.decision import Count, Decision, Standing, standing
from edge.ratelimit.policy import Charge
from edge.ratelimit.script import CHARGE
from edge.ratelimit.windows import Span, Window, milliseconds, span_at

# A count that slides is needed until the span after it is over. One of the
# calendar is not; it is kept a little longer for callers whose clock is behind.
SLIDING_LIVES = 2
CALENDAR_SLACK = 3_600_000  # milliseconds
NUMBERS_A_WINDOW = 4  # in the script's answer


class Counters:
    """Charges requests, each in one step that nothing can come between."""

    def __init__(self, client: Redis) -> None:
        """Takes the connection; the script is loaded at the first use and whenever it is lost."""
        self._run = client.register_script(CHARGE)

    async def charge(self, charges: Sequence[Charge], now: datetime) -> Decision:
        """Charges all windows of a request, or none if one of them refuses.

        Args:
            charges: one for each descriptor.
            now: the moment of the request.

        Raises:
            redis.RedisError: if Valkey does not answer.
        """
        keys = [budget.key for charge in charges for budget in charge.budgets]
        answer: list[int] = await self._run(keys=keys, args=_arguments(charges, now))
        admitted, counts = bool(answer[0]), _counts(answer[1:])
        return Decision(
            now, admitted, tuple(_standings(charge, counts, now, admitted) for charge in charges)
        )


def _arguments(charges: Sequence[Charge], now: datetime) -> list[str | int]:
    """What the script is told; its first lines say in which order."""
    arguments: list[str | int] = [milliseconds(now)]
    for charge in charges:
        for budget in charge.budgets:
            spans = [(window, span_at(window.period, now)) for window in budget.windows]
            life = max(_life(window, span, now) for window, span in spans)
            arguments += [charge.cost, life, len(spans)]
            for window, span in spans:
                arguments += [window.name, window.limit, span.start, span.length]
                arguments.append(int(window.slides))
    return arguments


def _life(window: Window, span: Span, now: datetime) -> int:
    """How long Valkey keeps the count after this request, in milliseconds."""
    if window.slides:
        return SLIDING_LIVES * span.length
    return span.end - milliseconds(now) + CALENDAR_SLACK


def _counts(numbers: Sequence[int]) -> Iterator[Count]:
    for at in range(0, len(numbers), NUMBERS_A_WINDOW):
        yield Count(*numbers[at : at + NUMBERS_A_WINDOW])


def _standings(
    charge: Charge, counts: Iterator[Count], now: datetime, admitted: bool
) -> tuple[Standing, ...]:
    """Takes the counts of the charge's windows, in order, from those of the whole request."""
    return tuple(
        standing(
            window, span_at(window.period, now).length, next(counts), milliseconds(now), admitted
        )
        for budget in charge.budgets
        for window in budget.windows
    )
