"""The log of a child: a file that it writes by itself and that we keep small.

The child writes straight into the file. A pipe would tie it to us: with a slow
reader its writes block, with a dead one they fail. So the file is not renamed,
which a child would not notice, but copied and cut; what is written between the
two, a few microseconds, is lost.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

CHECK_SECONDS = 0.5
PREVIOUS = ".previous.log"
CHUNK_BYTES = 1 << 20
FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Log:
    """An open log.

    Attributes:
        path: where it was opened; there may be nothing any more.
        descriptor: what the child gets as its output; of /dev/null if there is no file.
        error: why there is no file; empty if there is one.
    """

    def __init__(self, path: Path, *, fresh: bool = True) -> None:
        """Opens the log of a child.

        Args:
            path: the file.
            fresh: whether what is there belongs to an earlier run; it is kept beside it then.
        """
        self.path = path
        self.error = ""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if fresh:
                with suppress(FileNotFoundError):
                    path.replace(self.previous)
            # Appending matters: a child that remembered its place would leave a gap after a cut.
            self.descriptor = os.open(path, FLAGS, 0o600)
        except OSError as error:
            self.error = error.strerror or str(error)
            self.descriptor = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    @property
    def previous(self) -> Path:
        """What the log held before it was cut, or in the run before."""
        return self.path.with_suffix(PREVIOUS)

    def close(self) -> None:
        """Lets go of the file; the child has it open still. To say it twice does no harm."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def is_above(self, size: int) -> bool:
        """Whether the log has grown above a size in bytes, even if its name is gone."""
        if self.error or self.descriptor < 0:
            return False
        return os.fstat(self.descriptor).st_size > size

    async def cut(self, size: int) -> None:
        """Moves the last `size` bytes to `previous` and empties the log."""
        # A number of its own, which no file that is opened meanwhile can get.
        descriptor = os.dup(self.descriptor)
        try:
            await asyncio.to_thread(self._cut, descriptor, size)
        finally:
            os.close(descriptor)

    def _cut(self, descriptor: int, size: int) -> None:
        """If there is no room for a copy, or no folder, there is none.

        A log that fills a disk is worse than one that is cut.
        """
        draft = self.path.with_suffix(".new")
        try:
            self.previous.unlink(missing_ok=True)
            with draft.open("wb") as out:
                copy_tail(descriptor, out.write, size)
            draft.replace(self.previous)
        except OSError:
            with suppress(OSError):
                draft.unlink()
        with suppress(OSError):
            os.ftruncate(descriptor, 0)


def copy_tail(descriptor: int, write: Callable[[bytes], object], size: int) -> None:
    """Copies the last `size` bytes of a file, and what is added to it meanwhile."""
    place = max(0, os.fstat(descriptor).st_size - size)
    while chunk := os.pread(descriptor, CHUNK_BYTES, place):
        write(chunk)
        place += len(chunk)


async def keep_small(logs: Callable[[], Iterable[Log]], limit: int) -> None:
    """Keeps each log, what it held before included, below a size; never ends.

    Args:
        logs: the logs that are open now.
        limit: the size in bytes; what is written within half a second comes on top.
    """
    half = limit // 2
    while True:
        for log in tuple(logs()):
            if log.is_above(half):
                await log.cut(half)
        await asyncio.sleep(CHECK_SECONDS)
