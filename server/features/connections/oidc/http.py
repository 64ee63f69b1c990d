"""The HTTP client that asks providers, whose addresses strangers may have chosen."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

from server.common.outbound_addresses import AddressPolicy
from server.common.outbound_json import FetchFailedError, Form, JsonAnswer, JsonClient
from server.features.connections.oidc.checks import ProviderFailedError


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """What a provider answered.

    Attributes:
        content: the JSON that its body is; a text if it is a JWT; None if there is no body.
    """

    status: int
    content: Any = field(repr=False)

    @property
    def members(self) -> Mapping[str, Any]:
        """The members of the object that it is.

        Raises:
            ProviderFailedError: if it is something else.
        """
        if not isinstance(self.content, dict):
            raise ProviderFailedError("the answer is no JSON object")
        return self.content


class ProviderClient:
    """Asks providers for JSON; see `JsonClient` for what it takes care of."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._client = JsonClient(policy)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> ProviderAnswer:
        """Fetches a document.

        Raises:
            ProviderFailedError: saying why there is none.
        """
        return await _answered(self._client.get(url, headers))

    async def post(self, url: str, form: Form, headers: Mapping[str, str]) -> ProviderAnswer:
        """Sends a form.

        Raises:
            ProviderFailedError: saying why there is no answer.
        """
        return await _answered(self._client.post(url, form, headers))

    async def send(
        self, method: str, url: str, document: Mapping[str, Any] | None, token: str
    ) -> ProviderAnswer:
        """Sends a document, or nothing.

        Args:
            token: the bearer token that goes with it, or "".

        Raises:
            ProviderFailedError: saying why there is no answer.
        """
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await _answered(self._client.send(method, url, document, headers))


async def _answered(asking: Awaitable[JsonAnswer]) -> ProviderAnswer:
    try:
        answer = await asking
    except FetchFailedError as error:
        raise ProviderFailedError(error.detail) from error
    return ProviderAnswer(answer.status, answer.content)
