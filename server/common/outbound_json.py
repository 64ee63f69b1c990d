"""The HTTP client that asks for JSON at addresses that strangers may have chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from portico_kit.errors import InvalidRequestError
from server.common.outbound_addresses import AddressPolicy

TIMEOUT = 3.0  # seconds, for everything from the look-up to the last byte
MAX_BYTES = 256 * 1024
USER_AGENT = "Portico"

Form = Mapping[str, str]


class FetchFailedError(Exception):
    """An address does not answer, or answers something else than is agreed on."""

    def __init__(self, detail: str) -> None:
        """Takes what went wrong, in words that say nothing of our network."""
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """What was answered.

    Attributes:
        content: the JSON that the body is.
    """

    status: int
    content: Any = field(repr=False)


class JsonClient:
    """Asks for JSON: one address each time, no redirect, little time, small bodies."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> JsonAnswer:
        """Fetches a document.

        Raises:
            FetchFailedError: saying why there is none.
        """
        return await self._ask("GET", url, None, headers or {})

    async def post(self, url: str, form: Form, headers: Mapping[str, str]) -> JsonAnswer:
        """Sends a form.

        Raises:
            FetchFailedError: saying why there is no answer.
        """
        return await self._ask("POST", url, form, headers)

    async def _ask(
        self, method: str, url: str, form: Form | None, headers: Mapping[str, str]
    ) -> JsonAnswer:
        try:
            checked = self._policy.check_url(url)
        except InvalidRequestError as error:
            raise FetchFailedError(f"an address {error.violations[0].description}") from error
        try:
            async with self._open().request(
                method, checked, data=form, headers=headers, allow_redirects=False
            ) as response:
                return JsonAnswer(response.status, json.loads(await _body(response)))
        except TimeoutError as error:
            raise FetchFailedError("there was no answer in time") from error
        except (ValueError, RecursionError) as error:
            raise FetchFailedError("the answer is no JSON") from error
        except (aiohttp.ClientError, OSError) as error:
            # Nothing of our network is in it.
            raise FetchFailedError("it cannot be reached") from error

    def _open(self) -> aiohttp.ClientSession:
        """The client; made when there is a running event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(socket_factory=self._policy.open_socket),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
                headers={
                    "user-agent": USER_AGENT,
                    "accept": "application/json",
                    "accept-encoding": "identity",
                },
                auto_decompress=False,  # a small answer may unpack to a huge one
            )
        return self._session


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body.

    Raises:
        FetchFailedError: if it is a redirect, or too large.
    """
    if 300 <= response.status < 400:
        raise FetchFailedError("it answered with a redirect, which is not followed")
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_BYTES:
            raise FetchFailedError("the answer is larger than 256 KiB")
    return bytes(body)
