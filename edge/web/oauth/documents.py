"""What anybody may read about the server: its metadata and its keys, also while the core is away.

The metadata follows from the settings. The keys are the core's; the last ones that it gave
are kept, since a token that they verify does not become worse without it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as auth

from edge.web.core_client import Caller, CoreClient, CoreError
from edge.web.oauth.errors import from_core

# Known to whoever reads them so long after a change.
MAX_AGE_SECONDS = 300
KEYS_MAX_AGE_SECONDS = 60
# The core is asked as often for its keys, at the most.
KEYS_FRESH_SECONDS = 5.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serving(document: Mapping[str, Any]) -> Handler:
    """A handler for a document that does not change."""
    body = _encode(document)

    async def get(request: web.Request) -> web.Response:
        return _answer(body, MAX_AGE_SECONDS)

    return get


class KeySet:
    """The published keys.

    Args:
        core: who has them.
        clock: monotonic, in seconds.
    """

    def __init__(self, core: CoreClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._core = core
        self._clock = clock
        self._body = b""
        self._fresh_until = 0.0

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The keys as a JSON Web Key Set (RFC 7517)."""
        if not self._body or self._clock() >= self._fresh_until:
            caller = Caller("", "", request.headers.get("X-Request-Id", ""))
            try:
                await self._ask(caller)
            except CoreError as error:
                if not self._body:
                    return from_core(error).response()
        return _answer(self._body, KEYS_MAX_AGE_SECONDS)

    async def _ask(self, caller: Caller) -> None:
        method = self._core.auth.GetJsonWebKeySet
        answer = await self._core.call(method, auth.GetJsonWebKeySetRequest(), caller)
        keys = [{field.name: value for field, value in key.ListFields()} for key in answer.keys]
        self._body = _encode({"keys": keys})
        self._fresh_until = self._clock() + KEYS_FRESH_SECONDS


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _answer(body: bytes, max_age_seconds: int) -> web.Response:
    headers = {"Cache-Control": f"public, max-age={max_age_seconds}"}
    return web.Response(body=body, content_type="application/json", headers=headers)
