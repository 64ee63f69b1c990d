"""The tour's client of the REST API: shows each call and insists on its answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from cli.demo.console import Console, WrongAnswer, status_line

TOO_MANY_REQUESTS = 429
PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        status: the HTTP status.
        headers: the headers, in any case.
        body: the parsed JSON; None if there was none.
    """

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def data(self) -> Any:
        """The `data` of the envelope."""
        return self.body["data"]

    @property
    def code(self) -> str:
        """The code of the error; empty if there is none."""
        return str(((self.body or {}).get("error") or {}).get("code", ""))


def bearer(token: str) -> dict[str, str]:
    """The credential of a person."""
    return {"Authorization": f"Bearer {token}"}


def api_key(secret: str) -> dict[str, str]:
    """The credential of a program."""
    return {"X-API-Key": secret}


class Rest:
    """Calls the REST API.

    Args:
        session: the HTTP client, with the base URL set.
        console: where calls are shown.
    """

    def __init__(self, session: aiohttp.ClientSession, console: Console) -> None:
        self._session = session
        self._console = console

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        expect: int,
        credential: Mapping[str, str] | None = None,
    ) -> Answer:
        """Makes a call and insists on its status.

        Where the tour's own pace meets a limit it waits as long as it is told to.

        Raises:
            WrongAnswer: if the status is another one.
        """
        answer = await self.attempt(
            method, path, body, credential=credential, patient=expect != TOO_MANY_REQUESTS
        )
        self._console.check(answer.status == expect, f"the status is {expect}")
        return answer

    async def attempt(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        credential: Mapping[str, str] | None = None,
        patient: bool = False,
    ) -> Answer:
        """Makes a call, whatever comes back; if `patient`, again where a limit is in the way."""
        answer = await self._send(method, path, body, credential)
        if patient and answer.status == TOO_MANY_REQUESTS:
            await self._be_patient(answer)
            answer = await self._send(method, path, body, credential)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        credential: Mapping[str, str] | None,
    ) -> Answer:
        headers = dict(credential or {})
        shown = ", ".join(f"{name}: {value}" for name, value in headers.items())
        self._console.sent(f"{method} {path}", body, shown)
        began = time.monotonic()
        async with self._session.request(method, path, json=body, headers=headers) as response:
            text = await response.text()
            answer = Answer(response.status, response.headers, json.loads(text) if text else None)
        line = status_line(answer.status, (time.monotonic() - began) * 1000)
        self._console.received(line, answer.body, answer.headers)
        return answer

    async def _be_patient(self, answer: Answer) -> None:
        seconds = int(answer.headers.get("Retry-After", "1"))
        if seconds > PATIENCE_SECONDS:
            raise WrongAnswer(
                f"a limit of this address is used up for {seconds} s: play the tour again then"
            )
        self._console.note(f"The tour goes faster than its limit allows; waiting {seconds} s.")
        async with self._console.waiting("until the limit allows more", seconds):
            await asyncio.sleep(seconds)
