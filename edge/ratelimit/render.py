"""Renders a decision as Envoy's response: statuses, and the headers that callers see.

It is a serialized RateLimitResponse. Most of it is the same for all who share windows, so
those parts are serialized once and joined with the numbers of each decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse

from edge.ratelimit import protobuf
from edge.ratelimit.decision import WindowStates, tightest
from edge.ratelimit.windows import ActiveWindow, Period

OK, OVER_LIMIT = RateLimitResponse.OK, RateLimitResponse.OVER_LIMIT
Unit = RateLimitResponse.RateLimit

# A header for the gateway, on the admitted request: the limits were checked.
DECIDED = "x-edge-limits"
SHADOW = "x-ratelimit-shadow"

UNITS = {
    Period.BURST: Unit.UNKNOWN,  # the protocol has no name for ten seconds
    Period.SECOND: Unit.SECOND,
    Period.MINUTE: Unit.MINUTE,
    Period.HOUR: Unit.HOUR,
    Period.DAY: Unit.DAY,
    Period.WEEK: Unit.WEEK,
    Period.MONTH: Unit.MONTH,
    Period.YEAR: Unit.YEAR,
}

# The fields in envoy/service/ratelimit/v3/rls.proto.
_OVERALL_CODE = protobuf.tag(1, protobuf.VARINT)
_STATUSES = protobuf.tag(2, protobuf.LENGTH)
_RESPONSE_HEADERS = protobuf.tag(3, protobuf.LENGTH)
_REQUEST_HEADERS = protobuf.tag(4, protobuf.LENGTH)
_CODE = protobuf.tag(1, protobuf.VARINT)
_CURRENT_LIMIT = protobuf.tag(2, protobuf.LENGTH)
_LIMIT_REMAINING = protobuf.tag(3, protobuf.VARINT)
_DURATION_UNTIL_RESET = protobuf.tag(4, protobuf.LENGTH)
_REQUESTS_PER_UNIT = protobuf.tag(1, protobuf.VARINT)
_UNIT = protobuf.tag(2, protobuf.VARINT)
_NAME = protobuf.tag(3, protobuf.LENGTH)
_KEY = protobuf.tag(1, protobuf.LENGTH)
_VALUE = protobuf.tag(2, protobuf.LENGTH)
_SECONDS = protobuf.tag(1, protobuf.VARINT)
_NANOS = protobuf.tag(2, protobuf.VARINT)

# The same numbers are serialized again and again.
_CACHED_NUMBERS = 16384


def _header(name: str, value: str, field: bytes = _RESPONSE_HEADERS) -> bytes:
    pair = protobuf.text(_KEY, name.encode()) + protobuf.text(_VALUE, value.encode())
    return protobuf.text(field, pair)


@lru_cache(maxsize=_CACHED_NUMBERS)
def _number_header(name: str, value: int) -> bytes:
    return _header(name, str(value))


@lru_cache(maxsize=_CACHED_NUMBERS)
def _duration(milliseconds: int) -> bytes:
    seconds, rest = divmod(milliseconds, 1000)
    duration = protobuf.number(_SECONDS, seconds) + protobuf.number(_NANOS, 1_000_000 * rest)
    return protobuf.text(_DURATION_UNTIL_RESET, duration)


_ADMITTED = protobuf.number(_OVERALL_CODE, OK)
_REFUSED = protobuf.number(_OVERALL_CODE, OVER_LIMIT)
_LEFT = protobuf.text(_KEY, b"ratelimit")
_DECIDED = _header(DECIDED, "decided", _REQUEST_HEADERS)
_NO_RULE = protobuf.text(_STATUSES, protobuf.number(_CODE, OK))
_CODE_OK = protobuf.number(_CODE, OK)
_CODE_OVER_LIMIT = protobuf.number(_CODE, OVER_LIMIT)


class ResponseTemplate:
    """Renders decisions about the same windows."""

    def __init__(self, descriptors: Sequence[Sequence[ActiveWindow]]) -> None:
        """Takes the windows of each descriptor."""
        windows = [window for one in descriptors for window in one]
        self._windows = windows
        self._descriptors = list(_numbered(descriptors))
        self._current_limits = [_current_limit(window) for window in windows]
        self._limits = [_header("x-ratelimit-limit", str(window.limit)) for window in windows]
        # Callers are not shown what refuses nobody.
        self._enforced = [n for n, window in enumerate(windows) if not window.shadow]
        enforced = [windows[n] for n in self._enforced]
        self._policy = _header("ratelimit-policy", ", ".join(map(_policy, enforced)))
        self._left = ", ".join(f'"{window.name}";r=%d;t=%d' for window in enforced).encode()

    def render(self, now: int, admitted: bool, states: WindowStates) -> bytes:
        """The response to Envoy, serialized."""
        parts = [_ADMITTED if admitted else _REFUSED]
        parts += [self._status(numbers, states) for numbers in self._descriptors]
        if self._enforced:
            parts += self._headers(now, admitted, states)
        if states.over:
            parts += self._shadows(states)
        if admitted:
            parts.append(_DECIDED)
        return b"".join(parts)

    def _status(self, numbers: Sequence[int], states: WindowStates) -> bytes:
        """The protocol has one limit for a descriptor: its tightest window, if it has a rule."""
        if not numbers:
            return _NO_RULE
        one = tightest(self._windows, states, numbers)
        refused = states.over and states.over[one] and not self._windows[one].shadow
        status = b"%b%b%b%b" % (
            _CODE_OVER_LIMIT if refused else _CODE_OK,
            self._current_limits[one],
            protobuf.number(_LIMIT_REMAINING, states.remaining[one]),
            _duration(states.resets_ms[one]),
        )
        return protobuf.text(_STATUSES, status)

    def _headers(self, now: int, admitted: bool, states: WindowStates) -> list[bytes]:
        """The customary X-RateLimit headers, and draft-ietf-httpapi-ratelimit-headers-10."""
        remaining, resets = states.remaining, states.resets_ms
        one = tightest(self._windows, states, self._enforced)
        numbers: list[int] = []
        for each in self._enforced:
            numbers += (remaining[each], -(-resets[each] // 1000))
        headers = [
            self._limits[one],
            _number_header("x-ratelimit-remaining", remaining[one]),
            _number_header("x-ratelimit-reset", _seconds(now + resets[one])),
            self._policy,
            protobuf.text(
                _RESPONSE_HEADERS, _LEFT + protobuf.text(_VALUE, self._left % tuple(numbers))
            ),
        ]
        if not admitted:
            headers.append(_number_header("retry-after", max(1, _seconds(resets[one]))))
        return headers

    def _shadows(self, states: WindowStates) -> Iterator[bytes]:
        """The header with the windows in shadow mode that would have refused."""
        pairs = zip(self._windows, states.over, strict=True)
        exceeded = [window.name for window, over in pairs if over and window.shadow]
        if exceeded:
            yield _header(SHADOW, ", ".join(f'"{name}"' for name in exceeded))


def _numbered(descriptors: Sequence[Sequence[ActiveWindow]]) -> Iterator[range]:
    """The numbers of each descriptor's windows among all of them."""
    start = 0
    for windows in descriptors:
        yield range(start, start + len(windows))
        start += len(windows)


def _current_limit(window: ActiveWindow) -> bytes:
    limit = (
        protobuf.number(_REQUESTS_PER_UNIT, window.limit),
        protobuf.number(_UNIT, UNITS[window.period]),
        protobuf.text(_NAME, window.name.encode()),
    )
    return protobuf.text(_CURRENT_LIMIT, b"".join(limit))


def _policy(window: ActiveWindow) -> str:
    return f'"{window.name}";q={window.limit};w={_seconds(window.length)}'


def _seconds(milliseconds: int) -> int:
    """Whole seconds, rounded up: nobody is asked to come back too early."""
    return -(-milliseconds // 1000)
