"""The keys with which a client may have signed: those it registered, or those it publishes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from portico_kit.clock import Clock
from server.common.kept_documents import KeptDocuments
from server.common.outbound_json import FetchFailedError, JsonClient
from server.features.applications.jwks import PublicKey, published_keys
from server.features.applications.read_models import Client

KEPT = timedelta(minutes=5)
# So long nobody asks again an address that did not answer: anybody can name a client.
FAILURES_KEPT = timedelta(seconds=30)


class ClientKeys:
    """Fetches key sets, and keeps them."""

    def __init__(self, http: JsonClient, clock: Clock) -> None:
        self._http = http
        self._documents: KeptDocuments[Sequence[PublicKey]] = KeptDocuments(
            clock, KEPT, FAILURES_KEPT
        )

    async def of(self, client: Client, *, fresh: bool = False) -> Sequence[PublicKey]:
        """All keys of a client.

        Args:
            fresh: whether none of the kept ones fits: the client may have others by now. They
                are fetched once more, at most every 30 seconds.

        Raises:
            FetchFailedError: if they cannot be fetched.
        """
        if not client.jwks_uri:
            return published_keys(client.jwks) if client.jwks is not None else []

        async def fetch() -> Sequence[PublicKey]:
            return await self._fetch(client.jwks_uri)

        bring = self._documents.replace if fresh else self._documents.get
        return await bring(client.jwks_uri, fetch)

    async def _fetch(self, url: str) -> Sequence[PublicKey]:
        answer = await self._http.get(url)
        if answer.status != 200:
            raise FetchFailedError(f"it was answered with {answer.status}")
        try:
            return published_keys(answer.content)
        except ValueError as error:
            raise FetchFailedError(str(error)) from error
