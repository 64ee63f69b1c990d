"""What the supervisor itself did: one JSON object a line, in run.log beside the other logs."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

MAX_BYTES = 1 << 20


class Journal:
    """A log that is written rarely, and never fails whoever writes it.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: str, **facts: object) -> None:
        """Adds a line, unless that is not possible."""
        time = datetime.now(UTC).isoformat()
        line = json.dumps({"event": event, "process": "run", **facts, "timestamp": time})
        with suppress(OSError):
            self._make_room()
            with self._path.open("a") as out:
                out.write(line + "\n")

    def _make_room(self) -> None:
        with suppress(FileNotFoundError):
            if self._path.stat().st_size > MAX_BYTES:
                self._path.replace(self._path.with_suffix(".previous.log"))
