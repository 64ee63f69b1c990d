"""Which application is told next of the ends of sessions, as webhooks take turns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from server.common.fair_queue import FairQueue
from server.features.oauth.logout_repository import Claim

# Calls at once, and of these to one application. Those that take long have a lane of their own.
SLOTS, MOST_TO_ONE = 100, 8
SLOW_SLOTS, MOST_TO_SLOW = 100, 2
# Claimed by one query.
BATCH = 20
# From so many seconds on a call is slow: it keeps no slot from others any more.
PATIENCE = 1.0


@dataclass(slots=True)
class Call:
    """A call that is under way.

    Attributes:
        owner: the organization of the application.
        lane: where it holds a slot; None once it gave that back.
        began: by the clock of the event loop.
    """

    claim: Claim
    owner: UUID
    lane: FairQueue | None
    began: float


class Lanes:
    """Who is told next: organizations share the slots, and who is slow has others.

    As webhooks do it; what is slow is only remembered here.
    """

    def __init__(self) -> None:
        self._under_way: Counter[UUID] = Counter()
        self._fast = FairQueue(SLOTS, MOST_TO_ONE, self._under_way)
        self._slow = FairQueue(SLOW_SLOTS, MOST_TO_SLOW, self._under_way)
        self._are_slow: set[UUID] = set()

    def add(self, application_id: UUID, owner: UUID) -> None:
        """Notes that an application is to be told of something."""
        slow = application_id in self._are_slow
        lane, other = (self._slow, self._fast) if slow else (self._fast, self._slow)
        other.remove(application_id)
        lane.add(application_id, owner)

    def next_turns(self) -> tuple[FairQueue, dict[UUID, int]] | None:
        """Whose calls are claimed next, and how many of each; None if nobody's."""
        for lane in (self._fast, self._slow):
            if turns := lane.take_turns(BATCH):
                return lane, turns
        return None

    def begin(self, call: Call) -> None:
        """A call takes a slot of its lane."""
        assert call.lane is not None
        self._under_way[call.claim.application_id] += 1
        call.lane.hold(call.claim.application_id, call.owner)

    def outlast(self, call: Call) -> None:
        """A call lasts too long: it gives its slot back, and its application is slow."""
        self._are_slow.add(call.claim.application_id)
        if call.lane is self._fast:
            call.lane.release(call.owner)
            call.lane = None

    def end(self, call: Call, *, was_quick: bool) -> None:
        """A call is over."""
        application_id = call.claim.application_id
        if was_quick:
            self._are_slow.discard(application_id)
        if call.lane is not None:
            call.lane.release(call.owner)
        self._under_way[application_id] -= 1
        if not self._under_way[application_id]:
            del self._under_way[application_id]
        self._fast.unpark(application_id)
        self._slow.unpark(application_id)
