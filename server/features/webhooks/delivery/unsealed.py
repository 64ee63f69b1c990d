"""What is sealed and in use now, unsealed once and not for each delivery."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

KEPT_SECONDS = 60.0
MOST = 10_000

T = TypeVar("T")


class Unsealed(Generic[T]):
    """Keeps values in memory for a minute, by what is sealed: a rotation is another one."""

    def __init__(self, unseal: Callable[[bytes], T]) -> None:
        self._unseal = unseal
        # In the order in which they were unsealed.
        self._kept: OrderedDict[bytes, tuple[float, T]] = OrderedDict()

    def get(self, sealed: bytes) -> T:
        """The value.

        Raises:
            Exception: what `unseal` raises.
        """
        now = time.monotonic()
        self._drop_old(now)
        kept = self._kept.get(sealed)
        if kept is None:
            kept = self._kept[sealed] = (now, self._unseal(sealed))
        return kept[1]

    def _drop_old(self, now: float) -> None:
        while self._kept:
            unsealed_at, _ = next(iter(self._kept.values()))
            if now - unsealed_at < KEPT_SECONDS and len(self._kept) < MOST:
                return
            self._kept.popitem(last=False)
