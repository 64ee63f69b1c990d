"""A question: one request of an Envoy, read once and remembered as long as it is asked again."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest

from edge.ratelimit.policy import (
    DOMAIN,
    Charge,
    Limits,
    Override,
    charge_for,
    overridden,
    unlimited,
)
from edge.ratelimit.windows import Algorithm, Period, Span, Window, span_at

LARGEST_COST = 1_000_000_000  # so that the script's numbers stay exact
REMEMBERED = 8192  # questions; each takes about two kilobytes

# A stretch of the calendar is kept a little longer, for callers whose clock is behind.
SLACK = 3_600_000  # milliseconds

_COST = struct.Struct("<I")
_WINDOWS = struct.Struct("<QB")
_WINDOW = struct.Struct("<BBBIQQ")


class BadQuestionError(Exception):
    """The request is not one that the protocol allows; the text says why."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Counts that refuse a question for a while: what is charged only grows.

    Attributes:
        counts: the script's answer.
        since: when it was given; a clock that is set back makes it worthless.
        until: when the question has to be asked again.
    """

    counts: bytes
    since: int
    until: int


@dataclass(slots=True)
class Question:
    """What one request asks for.

    Attributes:
        charges: one for each descriptor.
        keys: of all budgets.
        windows: of all budgets, in the order of the script's answer.
        refusal: the last answer, if it was a refusal that may still hold.
        good: the moments for which the spans are the running ones.
    """

    charges: tuple[Charge, ...]
    keys: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    spans: tuple[Span, ...] = ()
    refusal: Refusal | None = None
    good: range = range(0)
    _packed: bytes = b""

    def __post_init__(self) -> None:
        budgets = [budget for charge in self.charges for budget in charge.budgets]
        self.keys = tuple(budget.key for budget in budgets)
        self.windows = tuple(window for budget in budgets for window in budget.windows)

    def packed(self, now: int) -> bytes:
        """The question as the script reads it; made anew when a span of it has ended."""
        if now not in self.good:
            self._pack(now)
        return self._packed

    def _pack(self, now: int) -> None:
        parts, spans = [b""], list[Span]()
        first, last = 0, 2 * now
        for charge in self.charges:
            for budget in charge.budgets:
                running = _running(budget.windows, now)
                parts += (_COST.pack(charge.cost), running.packed)
                spans += running.spans
                first, last = max(first, running.good.start), min(last, running.good.stop)
        parts[0] = bytes([len(self.keys)])
        self._packed, self.spans, self.good = b"".join(parts), tuple(spans), range(first, last)


@dataclass(frozen=True, slots=True)
class _Running:
    """The running spans of some windows, and the windows as the script reads them."""

    spans: tuple[Span, ...]
    packed: bytes
    good: range


# Callers of a tier share their windows, which are made once; so is this, for each minute.
_known: dict[int, tuple[tuple[Window, ...], _Running]] = {}
_KNOWN_AT_MOST = 4096


def _running(windows: tuple[Window, ...], now: int) -> _Running:
    """The spans at a moment. Known by identity: to hash the windows would cost more."""
    windows_and_running = _known.get(id(windows))
    if windows_and_running is not None:
        same, running = windows_and_running
        if same is windows and now in running.good:
            return running
    if len(_known) >= _KNOWN_AT_MOST:
        _known.clear()
    running = _find_running(windows, now)
    _known[id(windows)] = (windows, running)
    return running


def _find_running(windows: tuple[Window, ...], now: int) -> _Running:
    """The script's first lines say what stands where."""
    spans = tuple(span_at(window, now) for window in windows)
    pairs = list(zip(windows, spans, strict=True))
    expires = max(_needed_until(window, span) for window, span in pairs)
    packed = [_WINDOWS.pack(expires, len(windows))]
    packed += [_packed_window(window, span) for window, span in pairs]
    good = range(max(span.start for span in spans), min(span.end for span in spans))
    return _Running(spans, b"".join(packed), good)


def _packed_window(window: Window, span: Span) -> bytes:
    length = window.interval if window.algorithm is Algorithm.DRIPS else span.length
    return _WINDOW.pack(
        window.period, window.algorithm, window.shadow, window.limit, span.start, length
    )


def _needed_until(window: Window, span: Span) -> int:
    """When the count may be forgotten: one that slides is needed through the next span."""
    if window.algorithm is Algorithm.CALENDAR:
        return span.end + SLACK
    return span.end + span.length


class Questions:
    """Reads requests. What was read before, in the same bytes, is not read again."""

    def __init__(self, limits: Limits) -> None:
        """Takes the limits of organizations; when they change, a new reader takes over."""
        self._limits = limits
        self.read = lru_cache(maxsize=REMEMBERED)(self._read)

    def _read(self, request: bytes) -> Question:
        """The question in a serialized RateLimitRequest.

        Raises:
            BadQuestionError: if the protocol does not allow it.
            google.protobuf.message.DecodeError: if it is none.
        """
        message = RateLimitRequest.FromString(request)
        if not message.domain or not message.descriptors:
            raise BadQuestionError("there must be a domain and a descriptor")
        addend = message.hits_addend
        return Question(
            tuple(self._charge(message.domain, one, addend) for one in message.descriptors)
        )

    def _charge(self, domain: str, descriptor: RateLimitDescriptor, addend: int) -> Charge:
        cost = _cost(descriptor, addend)
        entries = tuple((entry.key, entry.value) for entry in descriptor.entries)
        override = _override(descriptor)
        if override is not None:
            return overridden(domain, entries, override, cost)
        if domain != DOMAIN:
            return unlimited(cost)
        return charge_for(dict(entries), cost, self._limits)


def _override(descriptor: RateLimitDescriptor) -> Override | None:
    """The descriptor's own limit, if it has one."""
    own = descriptor.limit
    if not own.unit:
        return None
    # The protocol counts its units from 1, a second; ours have the burst before them.
    return Override(own.requests_per_unit, Period(own.unit + 1))


def _cost(descriptor: RateLimitDescriptor, of_request: int) -> int:
    """What a descriptor costs: its own figure if it has one, else the request's, else 1."""
    if descriptor.HasField("hits_addend"):
        return min(int(descriptor.hits_addend.value), LARGEST_COST)
    return min(of_request or 1, LARGEST_COST)
