"""Whose turn it is: slots are shared by organization, then by receiver, in rotation.

Nothing here waits or asks the database: a receiver is put in when it has something
due, and taken out when a claim came back short.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from uuid import UUID


class FairQueue:
    """The receivers of one lane that have something due, and the slots that they share.

    An organization gets another slot as long as it holds fewer than are free (the
    dynamic threshold of shared-memory switches): alone it may fill half of the lane,
    with n others each holds a share of 1/(n+1), and a share is always free for whoever
    comes next. Within that, organizations take turns, and so do the receivers of one.
    So whatever is ready gets a slot within one round of the others.
    """

    def __init__(self, slots: int, per_receiver: int, under_way: Counter[UUID]) -> None:
        """Makes an empty lane.

        Args:
            slots: attempts at once.
            per_receiver: attempts at once to one receiver.
            under_way: attempts to each receiver, in whichever lane; a counter that the caller
                keeps.
        """
        self._slots = slots
        self._per_receiver = per_receiver
        self._under_way = under_way
        self._ready: OrderedDict[UUID, OrderedDict[UUID, None]] = OrderedDict()
        self._organization_of: dict[UUID, UUID] = {}
        # Ready, but with their share under way.
        self._parked: dict[UUID, UUID] = {}
        # Put in again while a claim for them was out.
        self._renewed: set[UUID] = set()
        self._held: Counter[UUID] = Counter()
        self._taken = 0

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        return self._slots - self._taken

    @property
    def held(self) -> int:
        """Slots that somebody holds."""
        return self._taken

    def __bool__(self) -> bool:
        """Whether somebody waits who may have a slot as soon as one is free."""
        return bool(self._ready)

    def __contains__(self, receiver_id: object) -> bool:
        """Whether a receiver is known to have something due."""
        return receiver_id in self._organization_of or receiver_id in self._parked

    def add(self, receiver_id: UUID, organization_id: UUID) -> None:
        """Notes that a receiver has something due; it takes its turn after the others."""
        self._renewed.add(receiver_id)
        if receiver_id in self:
            return
        if self._has_its_share(receiver_id):
            self._parked[receiver_id] = organization_id
        else:
            self._enqueue(receiver_id, organization_id)

    def discard(self, receiver_id: UUID) -> None:
        """Notes that nothing of a receiver is due, unless it was put in again since its turn."""
        if receiver_id not in self._renewed:
            self.remove(receiver_id)

    def remove(self, receiver_id: UUID) -> None:
        """Takes a receiver out."""
        self._renewed.discard(receiver_id)
        self._parked.pop(receiver_id, None)
        self._dequeue(receiver_id)

    def take_turns(self, limit: int) -> dict[UUID, int]:
        """Who may claim how much now.

        Args:
            limit: how many claims at the most.

        Returns:
            The number of attempts to claim, by receiver. A slot is held once
            `hold` is called.
        """
        turns: Counter[UUID] = Counter()
        holding = Counter(self._held)
        free = self.free
        left = min(limit, free)
        skipped = 0
        while left and skipped < len(self._ready):
            organization_id = next(iter(self._ready))
            self._ready.move_to_end(organization_id)
            has_room = holding[organization_id] < free
            receiver_id = self._next_of(organization_id, turns) if has_room else None
            if receiver_id is None:
                skipped += 1
                continue
            turns[receiver_id] += 1
            holding[organization_id] += 1
            left, free, skipped = left - 1, free - 1, 0
        self._renewed.difference_update(turns)
        return dict(turns)

    def may_start_at_once(self, receiver_id: UUID, organization_id: UUID) -> bool:
        """Whether an attempt may take a slot without a turn: nothing else of its receiver waits.

        If so, the caller calls `hold` before anything else.
        """
        return (
            receiver_id not in self
            and not self._has_its_share(receiver_id)
            and self._held[organization_id] < self.free
        )

    def hold(self, receiver_id: UUID, organization_id: UUID) -> None:
        """An attempt takes a slot; it counts among those under way to its receiver already."""
        self._held[organization_id] += 1
        self._taken += 1
        if receiver_id in self._organization_of and self._has_its_share(receiver_id):
            self._dequeue(receiver_id)
            self._parked[receiver_id] = organization_id

    def release(self, organization_id: UUID) -> None:
        """An attempt of an organization gives its slot back."""
        self._taken -= 1
        self._held[organization_id] -= 1
        if not self._held[organization_id]:
            del self._held[organization_id]

    def unpark(self, receiver_id: UUID) -> None:
        """Lets a receiver take turns again once half of its share is free.

        Not sooner, so that one claim brings several deliveries.
        """
        if not self._parked:
            return
        if receiver_id in self._parked and self._under_way[receiver_id] <= self._per_receiver // 2:
            self._enqueue(receiver_id, self._parked.pop(receiver_id))

    def _has_its_share(self, receiver_id: UUID) -> bool:
        return self._under_way[receiver_id] >= self._per_receiver

    def _next_of(self, organization_id: UUID, turns: Counter[UUID]) -> UUID | None:
        """The receiver whose turn it is within an organization."""
        receivers = self._ready[organization_id]
        for receiver_id in receivers:
            if self._under_way[receiver_id] + turns[receiver_id] < self._per_receiver:
                receivers.move_to_end(receiver_id)
                return receiver_id
        return None

    def _enqueue(self, receiver_id: UUID, organization_id: UUID) -> None:
        self._organization_of[receiver_id] = organization_id
        self._ready.setdefault(organization_id, OrderedDict())[receiver_id] = None

    def _dequeue(self, receiver_id: UUID) -> None:
        organization_id = self._organization_of.pop(receiver_id, None)
        if organization_id is None:
            return
        receivers = self._ready[organization_id]
        del receivers[receiver_id]
        if not receivers:
            del self._ready[organization_id]
