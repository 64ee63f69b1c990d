"""Turns a decision into Envoy's reply: statuses, and the headers that callers see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from envoy.config.core.v3.base_pb2 import HeaderValue
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse

from edge.ratelimit.decision import Decision, Standing, tightest
from edge.ratelimit.windows import Period

OK, OVER_LIMIT = RateLimitResponse.OK, RateLimitResponse.OVER_LIMIT
Unit = RateLimitResponse.RateLimit

# Tells the gateway, on the request's way on, that the limits were looked at.
DECIDED = "x-edge-limits"
SHADOW = "x-ratelimit-shadow"

UNITS = {
    Period.BURST: Unit.UNKNOWN,  # ten seconds have no name there
    Period.SECOND: Unit.SECOND,
    Period.MINUTE: Unit.MINUTE,
    Period.HOUR: Unit.HOUR,
    Period.DAY: Unit.DAY,
    Period.MONTH: Unit.MONTH,
    Period.YEAR: Unit.YEAR,
}

_DECIDED_HEADER = [HeaderValue(key=DECIDED, value="decided")]


def render(decision: Decision) -> bytes:
    """The reply to Envoy, serialized."""
    response = RateLimitResponse(
        overall_code=OK if decision.admitted else OVER_LIMIT,
        statuses=[_status(standings) for standings in decision.descriptors],
        response_headers_to_add=[
            HeaderValue(key=name, value=value) for name, value in _headers(decision)
        ],
        request_headers_to_add=_DECIDED_HEADER if decision.admitted else None,
    )
    serialized: bytes = response.SerializeToString()
    return serialized


def _status(standings: Sequence[Standing]) -> RateLimitResponse.DescriptorStatus:
    """A descriptor has one limit there: the window to mind. Without a rule it has none."""
    if not standings:
        return RateLimitResponse.DescriptorStatus(code=OK)
    one = tightest(standings)
    status = RateLimitResponse.DescriptorStatus(
        code=OVER_LIMIT if one.refused else OK,
        current_limit=Unit(
            name=one.window.name,
            requests_per_unit=one.window.limit,
            unit=UNITS[one.window.period],
        ),
        limit_remaining=one.remaining,
    )
    status.duration_until_reset.FromMilliseconds(one.reset)
    return status


def _headers(decision: Decision) -> Iterable[tuple[str, str]]:
    """The customary X-RateLimit headers, and draft-ietf-httpapi-ratelimit-headers-10."""
    holding = [one for one in decision.standings if not one.window.shadow]
    if holding:
        yield from _told(holding, decision.now)
    if not decision.admitted:
        yield "retry-after", str(max(1, _seconds(tightest(holding).reset)))
    exceeded = [one.window.name for one in decision.standings if one.over and one.window.shadow]
    if exceeded:
        yield SHADOW, ", ".join(f'"{name}"' for name in exceeded)


def _told(standings: Sequence[Standing], now: int) -> Iterable[tuple[str, str]]:
    one = tightest(standings)
    yield "x-ratelimit-limit", str(one.window.limit)
    yield "x-ratelimit-remaining", str(one.remaining)
    yield "x-ratelimit-reset", str(_seconds(now + one.reset))
    yield "ratelimit-policy", ", ".join(map(_policy, standings))
    yield "ratelimit", ", ".join(map(_service_limit, standings))


def _policy(one: Standing) -> str:
    return f'"{one.window.name}";q={one.window.limit};w={_seconds(one.length)}'


def _service_limit(one: Standing) -> str:
    return f'"{one.window.name}";r={one.remaining};t={_seconds(one.reset)}'


def _seconds(milliseconds: int) -> int:
    """Whole seconds, rounded up: nobody is told to come back too early."""
    return -(-milliseconds // 1000)
