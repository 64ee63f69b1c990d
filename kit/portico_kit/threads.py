"""Threads for work that holds a processor for long."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

LOWEST_PRIORITY = 19  # as nice(1) counts


def low_priority_executor(count: int, name: str) -> ThreadPoolExecutor:
    """So many threads, which step back for everything else on the machine."""
    return ThreadPoolExecutor(count, name, _step_back)


def _step_back() -> None:
    """Gives this thread the lowest priority, where threads have one of their own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
