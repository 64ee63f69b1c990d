"""Reads what the platform mailed, in the development mailbox."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any
from urllib.parse import unquote

import aiohttp

from cli.demo.console import Console, WrongAnswer

TOKEN = re.compile(r"[?&#]token=([^&\s\"<>]+)")
WAIT_SECONDS = 20.0
POLL_SECONDS = 0.2


class Inbox:
    """The mailbox, seen by whoever waits for a mail.

    Args:
        session: an HTTP client, with the mailbox's URL set.
        console: where mails are shown.
    """

    def __init__(self, session: aiohttp.ClientSession, console: Console) -> None:
        self._session = session
        self._console = console

    async def token_for(self, address: str, about: str) -> str:
        """Waits for the mail to an address whose subject or text speaks of `about`.

        Returns:
            The token in its link.

        Raises:
            WrongAnswer: if no such mail comes in time, or it has no token.
        """
        mail = await self._wait_for(address, about)
        self._console.sent("GET /messages (mailbox)")
        shown = {name: mail[name] for name in ("from", "to", "subject", "text")}
        self._console.received(f"mail to {address}", shown)
        match = TOKEN.search(mail["text"])
        self._console.check(match, f"the mail to {address} has a link with a token")
        assert match
        return unquote(match.group(1))

    async def _wait_for(self, address: str, about: str) -> dict[str, Any]:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            async with self._session.get("/messages") as response:
                mails = (await response.json())["messages"]
            for mail in mails:
                if address in mail["to"] and about in (mail["subject"] + mail["text"]).lower():
                    return dict(mail)
            await asyncio.sleep(POLL_SECONDS)
        raise WrongAnswer(f"no mail to {address} about {about} within {WAIT_SECONDS:.0f} s")
