"""The queue in which password hashes wait for a thread: bounded by time, not by number."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from portico_kit.errors import UnavailableError
from portico_kit.threads import low_priority_executor

T = TypeVar("T")

# Whoever would have to wait longer is sent away at once, and may come back.
LONGEST_WAIT = timedelta(seconds=2)
# The weight of the newest measurement in an average.
WEIGHT = 0.2

WAIT_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4)

WAITING = Gauge("portico_password_hashes_waiting", "Password hashes that wait for a thread.")
WAITED = Histogram("portico_password_hash_wait_seconds", "Their wait.", buckets=WAIT_SECONDS)
REFUSED = Counter("portico_password_hashes_refused_total", "Those that would have waited too long.")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work whose pieces take about equally long.

    Attributes:
        name: what its average is kept under.
        usual_seconds: how long a piece takes, before one was measured.
    """

    name: Hashable
    usual_seconds: float


class Admission:
    """Decides who may wait, by what is under way and how long such work has taken."""

    def __init__(self, threads: int, longest_wait: timedelta = LONGEST_WAIT) -> None:
        self._threads = threads
        self._longest_wait = longest_wait.total_seconds()
        self._averages: dict[Kind, float] = {}
        self._under_way: dict[Kind, int] = {}

    @property
    def waiting(self) -> int:
        """How many wait for a thread."""
        return max(0, sum(self._under_way.values()) - self._threads)

    @property
    def expected_wait(self) -> float:
        """Seconds until a thread takes up what comes now."""
        if sum(self._under_way.values()) < self._threads:
            return 0.0
        work = sum(number * self._seconds(kind) for kind, number in self._under_way.items())
        return work / self._threads

    def enter(self, kind: Kind) -> None:
        """Takes a place; whoever does leaves it again, see `leave`.

        Raises:
            UnavailableError: if the wait would be too long.
        """
        over = self.expected_wait - self._longest_wait
        if over > 0:
            raise UnavailableError(retry_after=timedelta(seconds=max(1, math.ceil(over))))
        self._under_way[kind] = self._under_way.get(kind, 0) + 1

    def leave(self, kind: Kind, seconds: float | None) -> None:
        """Gives a place back.

        Args:
            seconds: how long the work took; None if it was never begun.
        """
        self._under_way[kind] -= 1
        if seconds is not None:
            average = self._seconds(kind)
            self._averages[kind] = average + WEIGHT * (seconds - average)

    def _seconds(self, kind: Kind) -> float:
        return self._averages.get(kind, kind.usual_seconds)


class HashingQueue:
    """Runs hashes in threads of the lowest priority, in the order in which they came.

    The hashes let go of the interpreter. A rush of them takes what is left over on the
    machine, and other calls hardly feel it.
    """

    def __init__(self, threads: int) -> None:
        self.admission = Admission(threads)
        self._threads = low_priority_executor(threads, "passwords")

    async def run(self, kind: Kind, work: Callable[[], T]) -> T:
        """What the work gives, once a thread has done it.

        A caller who leaves before it has begun gives the place to the next one.

        Raises:
            UnavailableError: if it would have to wait too long.
        """
        try:
            self.admission.enter(kind)
        except UnavailableError:
            REFUSED.inc()
            raise
        WAITING.set(self.admission.waiting)
        piece = _Piece(work)
        job = self._threads.submit(piece)
        loop = asyncio.get_running_loop()

        def leave(_: Future[T]) -> None:
            # In a thread, or here if the caller has left. A loop that is closed counts no more.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._leave, kind, piece)

        job.add_done_callback(leave)
        return await asyncio.wrap_future(job)

    def _leave(self, kind: Kind, piece: _Piece[T]) -> None:
        self.admission.leave(kind, piece.took)
        WAITING.set(self.admission.waiting)
        if piece.waited is not None:
            WAITED.observe(piece.waited)


class _Piece(Generic[T]):
    """Work that notes how long it waited and took, in seconds; None before it has begun."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._came = time.monotonic()
        self.waited: float | None = None
        self.took: float | None = None

    def __call__(self) -> T:
        began = time.monotonic()
        self.waited = began - self._came
        try:
            return self._work()
        finally:
            self.took = time.monotonic() - began
