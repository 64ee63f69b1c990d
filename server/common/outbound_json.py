"""The HTTP client that asks for JSON at addresses that strangers may have chosen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from portico_kit.errors import InvalidRequestError
from server.common.outbound_addresses import AddressPolicy

if TYPE_CHECKING:
    # A core that asks nobody does not load it.
    import aiohttp

TIMEOUT = 3.0  # seconds, for everything from the look-up to the last byte
# At once, of one host and of all: who shares a slow host waits for it, and nobody else.
# Waiting for one's turn is part of the time.
MOST_TO_A_HOST = 16
MOST_CALLS = 500
MAX_BYTES = 256 * 1024
USER_AGENT = "Portico"
JWT_TYPE = "application/jwt"

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
        content: the JSON that the body is; a text if it is a JWT; None if there is no body.
        headers: their names in any case.
    """

    status: int
    content: Any = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class JsonClient:
    """Asks for JSON: one address each time, no redirect, little time, small bodies."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        max_bytes: int = MAX_BYTES,
    ) -> JsonAnswer:
        """Fetches a document.

        Args:
            max_bytes: a larger one is refused.

        Raises:
            FetchFailedError: saying why there is none.
        """

        async def read(response: aiohttp.ClientResponse) -> Any:
            return await _content(response, max_bytes)

        return await self._ask("GET", url, None, headers or {}, read)

    async def post(self, url: str, form: Form, headers: Mapping[str, str]) -> JsonAnswer:
        """Sends a form.

        Raises:
            FetchFailedError: saying why there is no answer.
        """
        return await self._ask("POST", url, form, headers)

    async def notify(self, url: str, form: Form) -> int:
        """Sends a form, and gives the status of the answer; what else is in it does not matter.

        Raises:
            FetchFailedError: saying why there is no answer.
        """
        return (await self._ask("POST", url, form, {}, _nothing)).status

    async def download(self, url: str, accept: str, limit: int) -> bytes:
        """Fetches what is no JSON.

        Args:
            accept: the media types that are asked for. What comes is for the caller to check.
            limit: its size at the most, in bytes.

        Raises:
            FetchFailedError: saying why there is none.
        """

        async def read(response: aiohttp.ClientResponse) -> bytes:
            return await _body(response, limit)

        answer = await self._ask("GET", url, None, {"accept": accept}, read)
        if answer.status != 200:
            raise FetchFailedError(f"it was answered with {answer.status}")
        return bytes(answer.content)

    async def send(
        self,
        method: str,
        url: str,
        document: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> JsonAnswer:
        """Sends a document, or nothing.

        Raises:
            FetchFailedError: saying why there is no answer.
        """
        if document is None:
            return await self._ask(method, url, None, headers)
        headers = {**headers, "content-type": "application/json"}
        return await self._ask(method, url, json.dumps(document).encode(), headers)

    async def _ask(
        self,
        method: str,
        url: str,
        body: Form | bytes | None,
        headers: Mapping[str, str],
        read: Callable[[aiohttp.ClientResponse], Awaitable[Any]] | None = None,
    ) -> JsonAnswer:
        try:
            checked = self._policy.check_url(url)
        except InvalidRequestError as error:
            raise FetchFailedError(f"an address {error.violations[0].description}") from error
        if self._session is None:
            # In a thread: the event loop would wait for a tenth of a second.
            await asyncio.to_thread(import_module, "aiohttp")
        import aiohttp

        try:
            async with self._open().request(
                method, checked, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await (read or _content)(response)
                return JsonAnswer(response.status, content, response.headers)
        except TimeoutError as error:
            raise FetchFailedError("there was no answer in time") from error
        except (ValueError, RecursionError) as error:
            raise FetchFailedError("the answer is no JSON") from error
        except (aiohttp.ClientError, OSError) as error:
            # Nothing of our network is in it.
            raise FetchFailedError("it cannot be reached") from error

    def _open(self) -> aiohttp.ClientSession:
        """The client; made when there is a running event loop."""
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    socket_factory=self._policy.open_socket,
                    limit=MOST_CALLS,
                    limit_per_host=MOST_TO_A_HOST,
                ),
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


async def _nothing(response: aiohttp.ClientResponse) -> None:
    """Nothing of the body: the status says it all."""


async def _content(response: aiohttp.ClientResponse, max_bytes: int = MAX_BYTES) -> Any:
    """What the body says.

    Raises:
        ValueError: if it is neither JSON nor a JWT.
    """
    body = await _body(response, max_bytes)
    if response.content_type == JWT_TYPE:
        return body.decode("ascii").strip()
    return json.loads(body) if body else None


async def _body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        FetchFailedError: if it is a redirect, or too large.
    """
    if 300 <= response.status < 400:
        raise FetchFailedError("it answered with a redirect, which is not followed")
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > max_bytes:
            raise FetchFailedError(f"the answer is larger than {max_bytes // 1024} KiB")
    return bytes(body)
