"""A question: one request of an Envoy, read once and remembered as long as it is asked again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest
from redis.crc import key_slot

from edge.ratelimit.decision import Counts
from edge.ratelimit.policy import (
    DOMAIN,
    Charge,
    Doubt,
    Limits,
    Override,
    charge_for,
    overridden,
    unlimited,
    with_doubt,
)
from edge.ratelimit.shadows import Shadows
from edge.ratelimit.shape import UNSHAPED, Form, Part, Shape, shape_of
from edge.ratelimit.windows import Period

LARGEST_COST = 1_000_000_000  # so that the script's numbers stay exact
MOST_DESCRIPTORS = 1000  # so that one request does not keep the others waiting
REMEMBERED = 8192  # questions; each takes about a kilobyte

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


class BadQuestionError(Exception):
    """The request is not one that the protocol allows; the text says why."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Counts that refuse a question for a while: what is charged only grows.

    Attributes:
        counts: of the windows.
        since: when they were read; a clock that is set back makes them worthless.
        until: when the question has to be asked again.
    """

    counts: Counts
    since: int
    until: int


@dataclass(slots=True)
class Question:
    """What one request asks for.

    Attributes:
        rule: of its first descriptor, for metrics.
        keys: of all budgets.
        slot: in which all of them are; 0 where there is no cluster.
        form: what it has in common with the questions of other callers.
        shape: its form as it was last asked.
        refusal: the last answer, if it was a refusal that may still hold.
    """

    rule: str
    keys: Sequence[bytes]
    slot: int
    form: Form
    shape: Shape
    refusal: Refusal | None = None

    def shaped(self, now: int) -> Shape:
        """Its form at a moment."""
        if now not in self.shape.good:
            self.shape = shape_of(self.form, now)
        return self.shape


class Questions:
    """Reads requests. What was read before, in the same bytes, is not read again."""

    def __init__(
        self,
        limits: Limits,
        shadows: Shadows,
        tell: Callable[[Doubt], None],
        clustered: bool = False,
    ) -> None:
        """Begins with nothing read.

        Args:
            limits: of organizations; when they change, a new reader takes over.
            shadows: rules of the table that are only tried.
            tell: called with what is not clear about a descriptor.
            clustered: whether a question has to lie in one slot.
        """
        self._limits, self._shadows = limits, shadows
        self._tell, self._clustered = tell, clustered
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
        if len(message.descriptors) > MOST_DESCRIPTORS:
            raise BadQuestionError(f"there may be {MOST_DESCRIPTORS} descriptors at most")
        addend = message.hits_addend
        charges = [self._charge(message.domain, one, addend) for one in message.descriptors]
        for charge in charges:
            for doubt in charge.doubts:
                self._tell(doubt)
        keys = [budget.key.encode() for charge in charges for budget in charge.budgets]
        return Question(
            rule=charges[0].rule,
            keys=keys,
            slot=_slot(keys) if self._clustered else 0,
            form=_form(charges),
            shape=UNSHAPED,
        )

    def _charge(self, domain: str, descriptor: RateLimitDescriptor, addend: int) -> Charge:
        cost = _cost(descriptor, addend)
        entries = tuple((entry.key, entry.value) for entry in descriptor.entries)
        period = UNITS.get(descriptor.limit.unit)
        if period is not None:
            override = Override(descriptor.limit.requests_per_unit, period)
            return overridden(domain, entries, override, cost)
        if domain == DOMAIN:
            charge = charge_for(dict(entries), cost, self._limits, self._shadows)
        else:
            charge = unlimited(cost)
        return with_doubt(charge, Doubt.UNKNOWN_UNIT) if descriptor.limit.unit else charge


def _slot(keys: Sequence[bytes]) -> int:
    """The slot of a cluster in which all keys are: they are decided together.

    Raises:
        BadQuestionError: if there is none.
    """
    slots = set(map(key_slot, keys))
    if len(slots) > 1:
        raise BadQuestionError("descriptors of one request must be of one caller or organization")
    return slots.pop() if slots else 0


def _form(charges: Sequence[Charge]) -> Form:
    numbers: dict[str, int] = {}
    parts = [
        Part(
            charge.rule,
            descriptor,
            numbers.setdefault(budget.key, len(numbers)),
            charge.cost,
            budget.windows,
        )
        for descriptor, charge in enumerate(charges)
        for budget in charge.budgets
    ]
    return Form(len(charges), tuple(parts))


def _cost(descriptor: RateLimitDescriptor, of_request: int) -> int:
    """What a descriptor costs: its own figure if it has one, else the request's, else 1."""
    if descriptor.HasField("hits_addend"):
        return min(int(descriptor.hits_addend.value), LARGEST_COST)
    return min(of_request or 1, LARGEST_COST)
