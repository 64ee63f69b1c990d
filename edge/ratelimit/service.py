"""Answers questions in batches: from memory where a refusal still holds, else from the counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from google.protobuf.message import DecodeError
from grpc import StatusCode
from redis import RedisError

from edge.ratelimit import metrics
from edge.ratelimit.counters import Counters, decision
from edge.ratelimit.policy import Doubt, Limits
from edge.ratelimit.question import BadQuestionError, Question, Questions, Refusal
from edge.ratelimit.render import render
from edge.ratelimit.windows import milliseconds
from server.kit.clock import Clock

log = structlog.get_logger("ratelimit")


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that ends with a status instead of an answer."""

    code: StatusCode
    message: str


UNAVAILABLE = Failure(StatusCode.UNAVAILABLE, "the limits cannot be read")
MALFORMED = Failure(StatusCode.INVALID_ARGUMENT, "not a rate limit request")

Answer = bytes | Failure


class RateLimitService:
    """envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit, from bytes to bytes."""

    def __init__(self, counters: Counters, clock: Clock) -> None:
        self._counters = counters
        self._clock = clock
        self._limits: Limits = {}
        self._questions = Questions({})
        self._doubts_told: set[Doubt] = set()

    def adopt(self, limits: Limits) -> None:
        """Uses these limits of organizations from now on."""
        self._limits = limits
        self.forget_refusals()

    def forget_refusals(self) -> None:
        """Asks for every question again: Valkey may come back empty, or limits have changed."""
        self._questions = Questions(self._limits)

    def answer(self, requests: Sequence[bytes]) -> list[Answer]:
        """Answers each request. Those that need the counts share one round trip."""
        now = milliseconds(self._clock())
        answers: list[Answer] = [UNAVAILABLE] * len(requests)
        asked: list[tuple[int, Question]] = []
        for index, request in enumerate(requests):
            found = self._understand(request)
            if isinstance(found, Failure):
                answers[index] = found
            elif refusal := _repeated(found, now):
                answers[index] = refusal
            else:
                asked.append((index, found))
        if asked:
            decided = self._decide([question for _, question in asked], now)
            for (index, _), answer in zip(asked, decided, strict=True):
                answers[index] = answer
        return answers

    def _understand(self, request: bytes) -> Question | Failure:
        try:
            question = self._questions.read(request)
        except BadQuestionError as error:
            return Failure(StatusCode.INVALID_ARGUMENT, str(error))
        except DecodeError:
            return MALFORMED
        self._tell_doubts(question)
        return question

    def _decide(self, questions: Sequence[Question], now: int) -> Sequence[Answer]:
        try:
            counted = self._counters.charge(questions, now)
        except (RedisError, OSError) as error:
            self.forget_refusals()
            metrics.count_unavailable(questions)
            log.warning("valkey_unavailable", error=type(error).__name__)
            return [UNAVAILABLE] * len(questions)
        return [
            _answer(question, counts, now)
            for question, counts in zip(questions, counted, strict=True)
        ]

    def _tell_doubts(self, question: Question) -> None:
        """Logs each kind of doubt once: it is a mistake in a gateway, not in a request."""
        for charge in question.charges:
            for doubt in charge.doubts:
                if doubt not in self._doubts_told:
                    self._doubts_told.add(doubt)
                    log.warning("unclear_descriptor", doubt=doubt.value)


def _answer(question: Question, counts: bytes, now: int) -> bytes:
    decided = decision(question, counts, now)
    metrics.count_decision(question, decided)
    if not decided.admitted:
        wait = max(one.reset for one in decided.standings if one.refused)
        # The counts say nothing of spans that have not begun.
        until = min(now + wait, question.good.stop)
        question.refusal = Refusal(counts, now, until)
    return render(decided)


def _repeated(question: Question, now: int) -> bytes | None:
    """The refusal that the question would meet again, without asking."""
    refusal = question.refusal
    if refusal is None or not refusal.since <= now < refusal.until:
        return None
    return _answer(question, refusal.counts, now)
