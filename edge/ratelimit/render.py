"""Turns a decision into Envoy's reply: statuses, and the headers that callers see."""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.core.v3.base_pb2 import HeaderValue
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse

from edge.ratelimit.decision import Decision, Standing, tightest
from edge.ratelimit.windows import Period, milliseconds

OK, OVER_LIMIT = RateLimitResponse.OK, RateLimitResponse.OVER_LIMIT
Unit = RateLimitResponse.RateLimit

UNITS = {
    Period.BURST: Unit.UNKNOWN,  # ten seconds have no name there
    Period.MINUTE: Unit.MINUTE,
    Period.HOUR: Unit.HOUR,
    Period.DAY: Unit.DAY,
    Period.MONTH: Unit.MONTH,
}


def render(decision: Decision) -> RateLimitResponse:
    """The reply to Envoy."""
    return RateLimitResponse(
        overall_code=OK if decision.admitted else OVER_LIMIT,
        statuses=[_status(standings) for standings in decision.descriptors],
        response_headers_to_add=[
            HeaderValue(key=name, value=value) for name, value in _headers(decision)
        ],
    )


def _status(standings: tuple[Standing, ...]) -> RateLimitResponse.DescriptorStatus:
    """A descriptor has one limit there: the window to mind."""
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
    one = tightest(decision.standings)
    reset_at = _seconds(milliseconds(decision.now) + one.reset)
    yield "x-ratelimit-limit", str(one.window.limit)
    yield "x-ratelimit-remaining", str(one.remaining)
    yield "x-ratelimit-reset", str(reset_at)
    yield "ratelimit-policy", ", ".join(map(_policy, decision.standings))
    yield "ratelimit", ", ".join(map(_service_limit, decision.standings))
    if not decision.admitted:
        yield "retry-after", str(max(1, _seconds(one.reset)))


def _policy(one: Standing) -> str:
    return f'"{one.window.name}";q={one.window.limit};w={_seconds(one.length)}'


def _service_limit(one: Standing) -> str:
    return f'"{one.window.name}";r={one.remaining};t={_seconds(one.reset)}'


def _seconds(milliseconds: int) -> int:
    """Whole seconds, rounded up: nobody is told to come back too early."""
    return -(-milliseconds // 1000)
