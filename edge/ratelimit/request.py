"""A request of an Envoy: parsed once, and cached as long as it is sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest
from redis.crc import key_slot

from edge.ratelimit.decision import Counts
from edge.ratelimit.plan import EMPTY_PLAN, ChargePlan, PlanEntry, PlanKey, plan_for
from edge.ratelimit.policy import (
    DOMAIN,
    Charge,
    DescriptorWarning,
    Limits,
    Override,
    charge_for,
    overridden,
    unlimited,
    with_warning,
)
from edge.ratelimit.shadow_mode import ShadowRules
from edge.ratelimit.windows import Period

MAX_COST = 1_000_000_000  # so that the script's numbers stay exact
MAX_DESCRIPTORS = 1000  # so that one request does not keep the others waiting
CACHED_REQUESTS = 8192  # about a kilobyte each

# The units of a descriptor's own limit, by their numbers in envoy/type/v3/ratelimit_unit.proto.
# A newer Envoy may know more of them.
UNITS: Mapping[int, Period] = {
    1: Period.SECOND,
    2: Period.MINUTE,
    3: Period.HOUR,
    4: Period.DAY,
    5: Period.MONTH,
    6: Period.YEAR,
    7: Period.WEEK,
}


class InvalidRequestError(Exception):
    """The protocol does not allow the request; the text is for the caller."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Counts that refuse a request for a while: what is charged only grows.

    Attributes:
        counts: of the windows.
        since_ms: when they were read; if the clock is set back behind it, they are not used.
        until_ms: when the request may be admitted again.
    """

    counts: Counts
    since_ms: int
    until_ms: int


@dataclass(slots=True)
class LimitRequest:
    """What one request asks for.

    Attributes:
        rule: of its first descriptor, for metrics.
        keys: of all budgets.
        slot: the hash slot of all of them; 0 where there is no cluster.
        plan_key: what it has in common with the requests of other callers.
        plan: how it was charged last.
        refusal: the last answer, if it was a refusal.
    """

    rule: str
    keys: Sequence[bytes]
    slot: int
    plan_key: PlanKey
    plan: ChargePlan
    refusal: Refusal | None = None

    def plan_at(self, now_ms: int) -> ChargePlan:
        """How it is charged at a moment."""
        if now_ms not in self.plan.valid:
            self.plan = plan_for(self.plan_key, now_ms)
        return self.plan


class RequestParser:
    """Parses requests. The same bytes are parsed once."""

    def __init__(
        self,
        limits: Limits,
        shadow_rules: ShadowRules,
        warn: Callable[[DescriptorWarning], None],
        clustered: bool = False,
    ) -> None:
        """Starts with an empty cache.

        Args:
            limits: of organizations; when they change, a new parser replaces this one.
            shadow_rules: rules of the table in shadow mode.
            warn: called with what is unclear about a descriptor.
            clustered: whether all keys of a request must be in one hash slot.
        """
        self._limits, self._shadow_rules = limits, shadow_rules
        self._warn, self._clustered = warn, clustered
        self.parse = lru_cache(maxsize=CACHED_REQUESTS)(self._parse)

    def _parse(self, serialized: bytes) -> LimitRequest:
        """Parses a serialized RateLimitRequest.

        Raises:
            InvalidRequestError: if the protocol does not allow it.
            google.protobuf.message.DecodeError: if it is no such message.
        """
        message = RateLimitRequest.FromString(serialized)
        if not message.domain or not message.descriptors:
            raise InvalidRequestError("there must be a domain and a descriptor")
        if len(message.descriptors) > MAX_DESCRIPTORS:
            raise InvalidRequestError(f"there may be {MAX_DESCRIPTORS} descriptors at most")
        addend = message.hits_addend
        charges = [self._charge(message.domain, one, addend) for one in message.descriptors]
        for charge in charges:
            for warning in charge.warnings:
                self._warn(warning)
        keys = [budget.key.encode() for charge in charges for budget in charge.budgets]
        return LimitRequest(
            rule=charges[0].rule,
            keys=keys,
            slot=_slot(keys) if self._clustered else 0,
            plan_key=_plan_key(charges),
            plan=EMPTY_PLAN,
        )

    def _charge(self, domain: str, descriptor: RateLimitDescriptor, addend: int) -> Charge:
        cost = _cost(descriptor, addend)
        entries = tuple((entry.key, entry.value) for entry in descriptor.entries)
        period = UNITS.get(descriptor.limit.unit)
        if period is not None:
            override = Override(descriptor.limit.requests_per_unit, period)
            return overridden(domain, entries, override, cost)
        if domain == DOMAIN:
            charge = charge_for(dict(entries), cost, self._limits, self._shadow_rules)
        else:
            charge = unlimited(cost)
        return (
            with_warning(charge, DescriptorWarning.UNKNOWN_UNIT)
            if descriptor.limit.unit
            else charge
        )


def _slot(keys: Sequence[bytes]) -> int:
    """The hash slot of all keys, which are charged together.

    Raises:
        InvalidRequestError: if they are not in one slot.
    """
    slots = set(map(key_slot, keys))
    if len(slots) > 1:
        raise InvalidRequestError(
            "descriptors of one request must be of one caller or organization"
        )
    return slots.pop() if slots else 0


def _plan_key(charges: Sequence[Charge]) -> PlanKey:
    numbers: dict[str, int] = {}
    entries = [
        PlanEntry(
            charge.rule,
            descriptor,
            numbers.setdefault(budget.key, len(numbers)),
            charge.cost,
            budget.windows,
        )
        for descriptor, charge in enumerate(charges)
        for budget in charge.budgets
    ]
    return PlanKey(len(charges), tuple(entries))


def _cost(descriptor: RateLimitDescriptor, of_request: int) -> int:
    """The cost of a descriptor: its own hits_addend if it has one, else the request's, else 1."""
    if descriptor.HasField("hits_addend"):
        return min(int(descriptor.hits_addend.value), MAX_COST)
    return min(of_request or 1, MAX_COST)
