"""Request objects that providers fetch: kept in Valkey, for as long as they are good."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from redis.asyncio import Redis

from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.common.scripts import ERRORS, TIMEOUT_SECONDS
from server.features.connections.errors import RequestObjectNotFoundError
from server.features.connections.oidc.checks import ProviderFailedError

REQUEST_OBJECT_PATH = "/sign-in/request-objects"
PURPOSE = "request-object"
PREFIX = "request-object:"


@dataclass(frozen=True, slots=True)
class RequestObjects:
    """Keeps them under names that nobody guesses, of which Valkey has the hashes.

    A provider may fetch one more than once: what is good only once is the state in it.
    """

    redis: Redis
    secrets: Secrets
    public_url: str

    async def keep(self, content: str, lifetime: timedelta) -> str:
        """The address of a request object.

        Raises:
            ProviderFailedError: if it cannot be kept.
        """
        name = new_token()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self.redis.set(self._key(name), content, ex=lifetime)
        except ERRORS as error:
            raise ProviderFailedError("the request cannot be kept for the provider") from error
        return f"{self.public_url}{REQUEST_OBJECT_PATH}/{name}"

    async def find(self, name: str) -> str:
        """The request object.

        Raises:
            RequestObjectNotFoundError: if there is none, or none any more.
        """
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                found = await self.redis.get(self._key(name))
        except ERRORS:
            found = None
        if found is None:
            raise RequestObjectNotFoundError
        return found.decode() if isinstance(found, bytes) else str(found)

    def _key(self, name: str) -> str:
        return PREFIX + self.secrets.mac(PURPOSE, name).hex()
