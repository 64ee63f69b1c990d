"""Answers questions in batches: from memory where a refusal still holds, else from the counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from google.protobuf.message import DecodeError
from grpc import StatusCode

from edge.ratelimit.counters import Counted, Counters
from edge.ratelimit.decision import Counts, after_charge, before_charge
from edge.ratelimit.metrics import Batch
from edge.ratelimit.policy import Doubt, Limits
from edge.ratelimit.question import BadQuestionError, Question, Questions, Refusal
from edge.ratelimit.script import ADMITTED, REFUSED
from edge.ratelimit.shadows import NO_SHADOWS, Shadows
from edge.ratelimit.windows import milliseconds
from portico_kit.clock import Clock

log = structlog.get_logger("ratelimit")


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that ends with a status instead of an answer."""

    code: StatusCode
    message: str


UNAVAILABLE = Failure(StatusCode.UNAVAILABLE, "the limits cannot be read")
MALFORMED = Failure(StatusCode.INVALID_ARGUMENT, "the message cannot be read")
SURPRISE = Failure(StatusCode.INTERNAL, "internal error")

Answer = bytes | Failure
# From the requests of a batch to an answer for each, serialized both.
Service = Callable[[Sequence[bytes]], Sequence[Answer]]


class RateLimitService:
    """envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit, from bytes to bytes."""

    def __init__(
        self,
        counters: Counters,
        clock: Clock,
        shadows: Shadows = NO_SHADOWS,
        clustered: bool = False,
    ) -> None:
        """Begins with the limits of the table alone.

        Args:
            counters: where it counts.
            clock: the time.
            shadows: rules of the table that are only tried.
            clustered: whether counters are on a cluster.
        """
        self._counters, self._clock = counters, clock
        self._shadows, self._clustered = shadows, clustered
        self._doubts_told: set[Doubt] = set()
        self.adopt({})

    def adopt(self, limits: Limits) -> None:
        """Uses these limits of organizations from now on."""
        self._limits = limits
        self.forget_refusals()

    def forget_refusals(self) -> None:
        """Asks for every question again: Valkey may come back empty, or limits have changed."""
        self._questions = Questions(self._limits, self._shadows, self._tell_doubt, self._clustered)

    def answer(self, requests: Sequence[bytes]) -> list[Answer]:
        """Answers each request. Those that need the counts share one round trip."""
        now, batch = milliseconds(self._clock()), Batch()
        answers: list[Answer] = [UNAVAILABLE] * len(requests)
        asked: list[tuple[int, Question]] = []
        for index, request in enumerate(requests):
            found = self._understand(request, now)
            if isinstance(found, Failure):
                answers[index] = found
            elif refusal := _repeated(found, now, batch):
                answers[index] = refusal
            else:
                asked.append((index, found))
        if asked:
            decided = self._decide([question for _, question in asked], now, batch)
            for (index, _), answer in zip(asked, decided, strict=True):
                answers[index] = answer
        batch.count()
        return answers

    def _understand(self, request: bytes, now: int) -> Question | Failure:
        """Reads a request. What is wrong with it, and any bug that it meets, is its own answer:
        the batch holds the requests of others."""
        try:
            question = self._questions.read(request)
            question.shaped(now)
        except BadQuestionError as error:
            return Failure(StatusCode.INVALID_ARGUMENT, str(error))
        except DecodeError:
            return MALFORMED
        except Exception:
            log.exception("unexpected")
            return SURPRISE
        return question

    def _decide(self, questions: Sequence[Question], now: int, batch: Batch) -> Sequence[Answer]:
        counted = self._counters.charge(questions, now)
        if None in counted:
            # Valkey may come back empty.
            self.forget_refusals()
        return [
            _answer(question, found, now, batch)
            for question, found in zip(questions, counted, strict=True)
        ]

    def _tell_doubt(self, doubt: Doubt) -> None:
        """Logs each kind of doubt once: it is a mistake in a gateway, not in a request."""
        if doubt not in self._doubts_told:
            self._doubts_told.add(doubt)
            log.warning("unclear_descriptor", doubt=doubt.value)


def _answer(question: Question, counted: Counted | None, now: int, batch: Batch) -> Answer:
    try:
        return _render(question, counted, now, batch)
    except Exception:
        log.exception("unexpected")
        return SURPRISE


def _render(question: Question, counted: Counted | None, now: int, batch: Batch) -> Answer:
    if counted is None:
        batch.unavailable(question)
        return UNAVAILABLE
    verdict, counts = counted
    if verdict == REFUSED:
        return _refuse(question, counts, now, batch)
    shape = question.shape
    if verdict == ADMITTED:
        standings = after_charge(shape.windows, counts, now)
    else:
        standings = before_charge(shape.windows, counts, now, charged=True)
    batch.decided(question, True, standings)
    return shape.told.reply(now, True, standings)


def _refuse(question: Question, counts: Counts, now: int, batch: Batch) -> bytes:
    """Refuses, and remembers it for as long as that is certain."""
    shape = question.shape
    standings = before_charge(shape.windows, counts, now, charged=False)
    flags = zip(shape.windows, standings.resets, standings.over, strict=True)
    wait = max(reset for window, reset, over in flags if over and not window.shadow)
    # The counts say nothing of spans that have not begun.
    question.refusal = Refusal(counts, now, min(now + wait, shape.good.stop))
    batch.decided(question, False, standings)
    return shape.told.reply(now, False, standings)


def _repeated(question: Question, now: int, batch: Batch) -> bytes | None:
    """The refusal that the question would meet again, without asking."""
    refusal = question.refusal
    if refusal is None or not refusal.since <= now < refusal.until:
        return None
    return _refuse(question, refusal.counts, now, batch)
