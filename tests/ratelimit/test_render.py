"""The answer that is put together from parts is the one that the message classes make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from envoy.config.core.v3.base_pb2 import HeaderValue
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse
from hypothesis import given
from hypothesis import strategies as st

from edge.ratelimit.decision import WindowStates
from edge.ratelimit.render import ResponseTemplate
from edge.ratelimit.windows import ActiveWindow, Period, Window, activate

NOW = 1_784_116_800_123

WINDOWS = st.builds(
    Window,
    name=st.sampled_from(["burst", "minute", "organization-minute", "key-month", "a" * 150]),
    period=st.sampled_from(list(Period)),
    limit=st.one_of(st.integers(1, 200), st.integers(1, 1_000_000_000)),
    shadow=st.booleans(),
)


@st.composite
def decisions(draw: st.DrawFn) -> tuple[list[list[ActiveWindow]], WindowStates, bool]:
    """Windows of some descriptors, their states, and whether the request was admitted."""
    descriptors = [
        [activate(window, 1, NOW) for window in windows]
        for windows in draw(st.lists(st.lists(WINDOWS, max_size=5), min_size=1, max_size=3))
    ]
    windows = [window for one in descriptors for window in one]
    over = [draw(st.booleans()) for _ in windows] if draw(st.booleans()) else []
    refused = any(flag and not one.shadow for one, flag in zip(windows, over, strict=False))
    remaining = [draw(st.integers(0, window.limit)) for window in windows]
    resets = [draw(st.one_of(st.integers(0, 2000), st.integers(0, 10**11))) for _ in windows]
    shares = [left / window.divisor for window, left in zip(windows, remaining, strict=True)]
    return descriptors, WindowStates(remaining, shares, resets, over), not refused


@given(decisions())
def test_an_answer_is_what_the_message_classes_make(
    decision: tuple[list[list[ActiveWindow]], WindowStates, bool],
) -> None:
    descriptors, states, admitted = decision
    reply = ResponseTemplate(descriptors).render(NOW, admitted, states)
    expected = Plain(descriptors, states, admitted).reply()
    assert RateLimitResponse.FromString(reply) == expected
    assert reply == expected.SerializeToString(deterministic=True)


class Plain:
    """The same answer, without a thought for what it costs."""

    def __init__(
        self, descriptors: Sequence[Sequence[ActiveWindow]], states: WindowStates, admitted: bool
    ) -> None:
        self._descriptors, self._admitted = descriptors, admitted
        self._windows = [window for one in descriptors for window in one]
        self._states = states
        self._over = states.over or [False] * len(self._windows)

    def reply(self) -> RateLimitResponse:
        """The answer."""
        response, first = RateLimitResponse(), 0
        response.overall_code = self._code(self._admitted)
        for windows in self._descriptors:
            self._fill_status(response.statuses.add(), range(first, first + len(windows)))
            first += len(windows)
        for name, value in self._headers():
            response.response_headers_to_add.append(HeaderValue(key=name, value=value))
        if self._admitted:
            header = HeaderValue(key="x-edge-limits", value="decided")
            response.request_headers_to_add.append(header)
        return response

    def _code(self, admitted: bool) -> RateLimitResponse.Code:
        return RateLimitResponse.OK if admitted else RateLimitResponse.OVER_LIMIT

    def _fill_status(self, status: RateLimitResponse.DescriptorStatus, numbers: range) -> None:
        status.code = RateLimitResponse.OK
        if not numbers:
            return
        one = self._tightest(numbers)
        window = self._windows[one]
        units = RateLimitResponse.RateLimit.Unit
        unit = "UNKNOWN" if window.period is Period.BURST else window.period.name
        status.code = self._code(not self._refuses(one))
        status.current_limit.name = window.name
        status.current_limit.requests_per_unit = window.limit
        status.current_limit.unit = units.Value(unit)
        status.limit_remaining = self._states.remaining[one]
        status.duration_until_reset.FromMilliseconds(self._states.resets_ms[one])
        status.duration_until_reset.SetInParent()

    def _refuses(self, number: int) -> bool:
        return self._over[number] and not self._windows[number].shadow

    def _tightest(self, numbers: Iterable[int]) -> int:
        refusing = [number for number in numbers if self._refuses(number)]
        if refusing:
            return max(refusing, key=lambda number: self._states.resets_ms[number])
        return min(numbers, key=lambda number: self._states.shares[number])

    def _headers(self) -> Iterable[tuple[str, str]]:
        enforced = [n for n, window in enumerate(self._windows) if not window.shadow]
        if enforced:
            yield from self._numbers(enforced)
        shadows = [
            f'"{window.name}"'
            for window, over in zip(self._windows, self._over, strict=True)
            if over and window.shadow
        ]
        if shadows:
            yield "x-ratelimit-shadow", ", ".join(shadows)

    def _numbers(self, enforced: Sequence[int]) -> Iterable[tuple[str, str]]:
        one = self._tightest(enforced)
        remaining, resets = self._states.remaining, self._states.resets_ms
        yield "x-ratelimit-limit", str(self._windows[one].limit)
        yield "x-ratelimit-remaining", str(remaining[one])
        yield "x-ratelimit-reset", str(_seconds(NOW + resets[one]))
        windows = [(n, self._windows[n]) for n in enforced]
        policies = [f'"{w.name}";q={w.limit};w={_seconds(w.length)}' for _, w in windows]
        yield "ratelimit-policy", ", ".join(policies)
        left = [f'"{w.name}";r={remaining[n]};t={_seconds(resets[n])}' for n, w in windows]
        yield "ratelimit", ", ".join(left)
        if not self._admitted:
            yield "retry-after", str(max(1, _seconds(resets[one])))


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)
