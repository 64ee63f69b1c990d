"""What can stop `portico run`, said in a line that tells what to do."""

from __future__ import annotations

from collections.abc import Sequence


class RunError(Exception):
    """The platform cannot start or go on. The message is for the person at the terminal.

    Args:
        message: what is wrong and what to do about it, in one line.
        details: lines that explain it, such as the end of a log.

    Attributes:
        lines: the messages; more than one if more than one thing is wrong.
    """

    def __init__(self, message: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.details = details
        self.lines: tuple[str, ...] = (message,)

    @classmethod
    def of(cls, lines: Sequence[str]) -> RunError:
        """One error for all that is wrong."""
        error = cls("; ".join(lines))
        error.lines = tuple(lines)
        return error
