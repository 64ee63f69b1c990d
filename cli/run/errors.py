"""What can stop `portico run`, said in a line that tells what to do."""

from __future__ import annotations


class RunError(Exception):
    """The platform cannot start or go on. The message is for the person at the terminal.

    Args:
        message: what is wrong and what to do about it, in one line.
        details: lines that explain it, such as the end of a log.
    """

    def __init__(self, message: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.details = details
