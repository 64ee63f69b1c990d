"""Who is signed in: a cookie stands for the session, and its tokens never leave our side.

The cookie is opaque. What is remembered here is the access token that the core has given for
it, until shortly before that expires; whether the session still holds is asked by the core
itself at each call, so a session that was ended elsewhere is over at the next request.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from portico.auth.v1 import browser_session_service_pb2 as pb

from edge.web.core_client import Caller, CoreClient, CoreError

# An access token is not used any more so long before it expires.
MARGIN_SECONDS = 60
# About 1 KB each.
MAX_REMEMBERED = 10_000
_BROWSER_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\Z")


class SignedOutError(Exception):
    """The page is for people who are signed in, and nobody is."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What stands for a session in calls of the core.

    Attributes:
        good_until: on the clock of the process (monotonic), in seconds.
    """

    token: str = field(repr=False)
    session_id: str
    good_until: float

    @property
    def claims(self) -> dict[str, Any]:
        """What stands in it. It is read, not trusted: the core has given it to us."""
        payload = self.token.split(".")[1]
        content: dict[str, Any] = json.loads(
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        )
        return content


class BrowserSessions:
    """Starts, resumes and ends the sessions of browsers."""

    def __init__(
        self, core: CoreClient, internal_token: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._core = core
        self._internal_token = internal_token
        self._clock = clock
        self._remembered: OrderedDict[str, AccessToken] = OrderedDict()

    async def start(self, refresh_token: str, caller: Caller) -> str:
        """The value of a new cookie for a session; one that it had before is worth nothing.

        Args:
            refresh_token: of somebody who has just shown who they are.

        Raises:
            CoreError: if the core does not answer.
        """
        answer = await self._core.call(
            self._core.browser_sessions.StartBrowserSession,
            pb.StartBrowserSessionRequest(refresh_token=refresh_token),
            caller,
            self._internal_token,
        )
        return answer.browser_token

    async def resume(self, cookie: str, caller: Caller) -> AccessToken:
        """The access token for a cookie.

        Raises:
            SignedOutError: if the cookie stands for no session.
            CoreError: if the core does not answer.
        """
        known = self._remembered.get(cookie)
        if known is not None and self._clock() < known.good_until:
            self._remembered.move_to_end(cookie)
            return known
        if not _BROWSER_TOKEN.match(cookie):
            raise SignedOutError
        fresh = await self._ask(cookie, caller)
        self._remembered[cookie] = fresh
        self._remembered.move_to_end(cookie)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return fresh

    def forget(self, cookie: str) -> None:
        """Drops what is remembered for a cookie."""
        self._remembered.pop(cookie, None)

    async def _ask(self, cookie: str, caller: Caller) -> AccessToken:
        asked_at = self._clock()
        try:
            answer = await self._core.call(
                self._core.browser_sessions.ResumeBrowserSession,
                pb.ResumeBrowserSessionRequest(browser_token=cookie),
                caller,
                self._internal_token,
            )
        except CoreError as error:
            if error.reason == "BROWSER_TOKEN_INVALID":
                self.forget(cookie)
                raise SignedOutError from None
            raise
        good_until = asked_at + answer.expires_in - MARGIN_SECONDS
        return AccessToken(answer.access_token, answer.session_id, good_until)
