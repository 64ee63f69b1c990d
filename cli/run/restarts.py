"""How soon, and how often, a child that died is started again."""

from __future__ import annotations

import time
from collections import deque

# The pause before each start. One more death within the window ends the run.
PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0)
WINDOW_SECONDS = 60.0


class Restarts:
    """The deaths of one child in the last minute."""

    def __init__(self) -> None:
        self._deaths: deque[float] = deque()

    def pause(self) -> float | None:
        """Counts a death.

        Returns:
            Seconds to wait before the next start; None if there were too many.
        """
        now = time.monotonic()
        while self._deaths and now - self._deaths[0] > WINDOW_SECONDS:
            self._deaths.popleft()
        self._deaths.append(now)
        before = len(self._deaths) - 1
        return PAUSES[before] if before < len(PAUSES) else None
