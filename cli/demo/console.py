"""How the tour looks: what was asked, what came back, and whether it was right."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

SHOWN_HEADERS = (
    "Location",
    "ETag",
    "WWW-Authenticate",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-Request-ID",
)
COUNT_DOWN_SECONDS = 10.0
BOLD, FAINT, GREEN, RED, PLAIN = "1", "2", "32", "31", "0"


class WrongAnswer(Exception):  # noqa: N818 - an answer, not a bug
    """The platform did not answer as it promises; the message says how."""


class Console:
    """Prints the tour, and counts what was right.

    Args:
        colours: whether the reader is a terminal.
    """

    def __init__(self, *, colours: bool | None = None) -> None:
        self.right = 0
        self._steps = 0
        self._colours = sys.stdout.isatty() if colours is None else colours

    def step(self, title: str) -> None:
        """Begins the next step of the tour."""
        self._steps += 1
        self._say("")
        self._say(f"{self._steps}. {title}", BOLD)

    def note(self, text: str) -> None:
        """Says something in between."""
        self._say(f"   {text}", FAINT)

    def sent(self, line: str, body: object = None, credential: str = "") -> None:
        """Shows a request: its first line, who sends it, and its body."""
        self._say(f"   > {line}")
        if credential:
            self._say(f"     {credential}", FAINT)
        self._show(body)

    def received(self, line: str, body: object = None, headers: Mapping[str, str] = {}) -> None:
        """Shows an answer: its status, the headers that matter, and its body."""
        self._say(f"   < {line}")
        for name in SHOWN_HEADERS:
            if name in headers:
                self._say(f"     {name}: {headers[name]}", FAINT)
        self._show(body)

    def check(self, condition: object, promise: str) -> None:
        """Counts a promise that was kept.

        Raises:
            WrongAnswer: if it was not.
        """
        if not condition:
            raise WrongAnswer(promise)
        self.right += 1
        self._say(f"   ok: {promise}", GREEN)

    def verdict(self, problem: str | None, seconds: float) -> None:
        """Ends the tour with one line."""
        self._say("")
        if problem is None:
            self._say(f"All {self.right} answers were right ({seconds:.0f} s).", GREEN)
        else:
            self._say(f"Not right: {problem} (after {self.right} right answers)", RED)

    @asynccontextmanager
    async def waiting(self, until: str, seconds: float) -> AsyncIterator[None]:
        """Says every few seconds, while the block lasts, what is waited for and how long yet."""
        count_down = asyncio.create_task(self._count_down(until, seconds))
        try:
            yield
        finally:
            count_down.cancel()

    async def _count_down(self, until: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            await asyncio.sleep(COUNT_DOWN_SECONDS)
            left = max(0.0, end - time.monotonic())
            self.note(f"... waiting {until}: {left:.0f} s more at the most")

    def _show(self, body: object) -> None:
        if body in (None, {}, ""):
            return
        for line in json.dumps(body, indent=2, ensure_ascii=False).splitlines():
            self._say(f"     {line}")

    def _say(self, text: str, style: str = PLAIN) -> None:
        print(
            f"\033[{style}m{text}\033[0m" if self._colours and style != PLAIN else text, flush=True
        )


def status_line(status: int, milliseconds: float) -> str:
    """ "201 Created (43 ms)"."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"{status} {phrase} ({milliseconds:.0f} ms)"
