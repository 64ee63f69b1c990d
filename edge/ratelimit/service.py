"""Answers requests in batches: by a refusal that is still certain, else by the counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from google.protobuf.message import DecodeError
from grpc import StatusCode

from edge.ratelimit.counters import Counted, Counters
from edge.ratelimit.decision import Counts, after_charge, before_charge
from edge.ratelimit.metrics import BatchMetrics
from edge.ratelimit.policy import DescriptorWarning, Limits
from edge.ratelimit.request import InvalidRequestError, LimitRequest, Refusal, RequestParser
from edge.ratelimit.script import ADMITTED, REFUSED
from edge.ratelimit.shadow_mode import NO_SHADOW_RULES, ShadowRules
from edge.ratelimit.windows import milliseconds
from portico_kit.clock import Clock

log = structlog.get_logger("ratelimit")


@dataclass(frozen=True, slots=True)
class Failure:
    """The gRPC status of a call that fails."""

    code: StatusCode
    message: str


UNAVAILABLE = Failure(StatusCode.UNAVAILABLE, "the limits cannot be read")
MALFORMED = Failure(StatusCode.INVALID_ARGUMENT, "the message cannot be read")
INTERNAL = Failure(StatusCode.INTERNAL, "internal error")

Answer = bytes | Failure
# From the serialized requests of a batch to an answer for each.
Service = Callable[[Sequence[bytes]], Sequence[Answer]]


class RateLimitService:
    """envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit, from bytes to bytes."""

    def __init__(
        self,
        counters: Counters,
        clock: Clock,
        shadow_rules: ShadowRules = NO_SHADOW_RULES,
        clustered: bool = False,
    ) -> None:
        """Starts with the limits of the table alone.

        Args:
            counters: of all windows.
            clock: the time.
            shadow_rules: rules of the table in shadow mode.
            clustered: whether the counters are on a cluster.
        """
        self._counters, self._clock = counters, clock
        self._shadow_rules, self._clustered = shadow_rules, clustered
        self._warned: set[DescriptorWarning] = set()
        self.adopt({})

    def adopt(self, limits: Limits) -> None:
        """Uses these limits of organizations from now on."""
        self._limits = limits
        self.forget_refusals()

    def forget_refusals(self) -> None:
        """Decides every request by the counts again: they may be gone, or limits have changed."""
        self._parser = RequestParser(
            self._limits, self._shadow_rules, self._warn_once, self._clustered
        )

    def answer(self, serialized: Sequence[bytes]) -> list[Answer]:
        """Answers each request. Those that need the counts share one round trip."""
        now, metrics = milliseconds(self._clock()), BatchMetrics()
        answers: list[Answer] = [UNAVAILABLE] * len(serialized)
        undecided: list[tuple[int, LimitRequest]] = []
        for index, each in enumerate(serialized):
            request = self._parse(each, now)
            if isinstance(request, Failure):
                answers[index] = request
            elif refusal := _refuse_again(request, now, metrics):
                answers[index] = refusal
            else:
                undecided.append((index, request))
        if undecided:
            decided = self._decide([request for _, request in undecided], now, metrics)
            for (index, _), answer in zip(undecided, decided, strict=True):
                answers[index] = answer
        metrics.publish()
        return answers

    def _parse(self, serialized: bytes, now: int) -> LimitRequest | Failure:
        """Parses a request. Whatever is wrong with it, a bug of ours included, fails only this
        one: the batch has the requests of others."""
        try:
            request = self._parser.parse(serialized)
            request.plan_at(now)
        except InvalidRequestError as error:
            return Failure(StatusCode.INVALID_ARGUMENT, str(error))
        except DecodeError:
            return MALFORMED
        except Exception:
            log.exception("unexpected")
            return INTERNAL
        return request

    def _decide(
        self, requests: Sequence[LimitRequest], now: int, metrics: BatchMetrics
    ) -> Sequence[Answer]:
        counted = self._counters.charge(requests, now)
        if None in counted:
            # Valkey may come back empty.
            self.forget_refusals()
        return [
            _answer(request, found, now, metrics)
            for request, found in zip(requests, counted, strict=True)
        ]

    def _warn_once(self, warning: DescriptorWarning) -> None:
        """Logs each warning once: it is about the configuration of a gateway, not a request."""
        if warning not in self._warned:
            self._warned.add(warning)
            log.warning("unclear_descriptor", warning=warning.value)


def _answer(
    request: LimitRequest, counted: Counted | None, now: int, metrics: BatchMetrics
) -> Answer:
    try:
        return _render(request, counted, now, metrics)
    except Exception:
        log.exception("unexpected")
        return INTERNAL


def _render(
    request: LimitRequest, counted: Counted | None, now: int, metrics: BatchMetrics
) -> Answer:
    if counted is None:
        metrics.unavailable(request)
        return UNAVAILABLE
    verdict, counts = counted
    if verdict == REFUSED:
        return _refuse(request, counts, now, metrics)
    plan = request.plan
    if verdict == ADMITTED:
        states = after_charge(plan.windows, counts, now)
    else:
        states = before_charge(plan.windows, counts, now, charged=True)
    metrics.decided(request, True, states)
    return plan.template.render(now, True, states)


def _refuse(request: LimitRequest, counts: Counts, now: int, metrics: BatchMetrics) -> bytes:
    """Refuses, and remembers it for as long as that is certain."""
    plan = request.plan
    states = before_charge(plan.windows, counts, now, charged=False)
    flags = zip(plan.windows, states.resets_ms, states.over, strict=True)
    wait = max(reset for window, reset, over in flags if over and not window.shadow)
    # The counts say nothing of spans that have not started.
    request.refusal = Refusal(counts, now, min(now + wait, plan.valid.stop))
    metrics.decided(request, False, states)
    return plan.template.render(now, False, states)


def _refuse_again(request: LimitRequest, now: int, metrics: BatchMetrics) -> bytes | None:
    """The refusal that the counts would lead to again, if that is certain."""
    refusal = request.refusal
    if refusal is None or not refusal.since_ms <= now < refusal.until_ms:
        return None
    return _refuse(request, refusal.counts, now, metrics)
