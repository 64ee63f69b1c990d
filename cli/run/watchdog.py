"""Ends the children of a supervisor that was killed and could not do it itself.

A shell of one megabyte reads the process groups to guard from a pipe. When the
pipe closes, because the supervisor ended in whatever way, it stops the groups
that are still registered: with SIGTERM, and after ten seconds with SIGKILL.
Unlike a parent-death signal this works on every Unix, reaches grandchildren
and leaves them time to end well.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from types import TracebackType
from typing import Self

SCRIPT = """
trap '' INT TERM HUP
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
  esac
done
signal() {
  found=1
  for group in $groups; do
    kill -s "$1" -- "-$group" 2>/dev/null && found=0
  done
  return $found
}
signal TERM
left=100
while [ $left -gt 0 ] && signal 0; do
  left=$((left - 1))
  sleep 0.1
done
signal KILL
exit 0
"""


class Watchdog:
    """A guard over process groups; use it as a context manager.

    Args:
        holds: file descriptors that stay open until the last group has ended.
    """

    def __init__(self, holds: tuple[int, ...] = ()) -> None:
        self._groups: set[int] = set()
        self._holds = holds
        self._shell = self._start()

    def guard(self, group: int) -> None:
        """Guards a process group from now on."""
        self._groups.add(group)
        self._tell(f"+ {group}\n")

    def release(self, group: int) -> None:
        """Forgets a process group that has ended; to say it twice does no harm."""
        if group in self._groups:
            self._groups.remove(group)
            self._tell(f"- {group}\n")

    def close(self) -> None:
        """Lets the guard go; whatever is still registered is stopped."""
        assert self._shell.stdin is not None
        with suppress(BrokenPipeError):
            self._shell.stdin.close()
        self._shell.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT],
            stdin=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            pass_fds=self._holds,
        )

    def _tell(self, line: str) -> None:
        """Tells the shell; one that was killed is replaced by one that knows all groups."""
        try:
            self._write(line)
        except BrokenPipeError:
            self._shell.wait()
            self._shell = self._start()
            self._write("".join(f"+ {group}\n" for group in self._groups))

    def _write(self, text: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(text.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
