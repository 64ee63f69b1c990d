"""Pushed authorization requests (RFC 9126): kept in Valkey, sealed, for one use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.asyncio import Redis

from portico_kit.errors import UnavailableError
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.common.scripts import ERRORS, TIMEOUT_SECONDS
from server.features.oauth.requests import AuthorizationRequest, SealedRequests

# RFC 9126, section 2.2.
REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
LIFETIME = timedelta(seconds=60)
PURPOSE = "oauth-pushed-request"
PREFIX = "pushed-authorization:"


@dataclass(frozen=True, slots=True)
class PushedRequests:
    """Keeps them under names that nobody guesses, of which Valkey has the hashes.

    Another client that presents a name finds nothing under it, and so takes nothing away.
    """

    redis: Redis
    secrets: Secrets
    sealed: SealedRequests

    async def keep(self, request: AuthorizationRequest) -> str:
        """The request_uri of a request.

        Raises:
            UnavailableError: if it cannot be kept.
        """
        name = new_token()
        key = self._key(request.client_id, name)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self.redis.set(key, self.sealed.seal(request), ex=LIFETIME)
        except ERRORS as error:
            raise UnavailableError from error
        return REQUEST_URI_PREFIX + name

    async def take(
        self, client_id: str, request_uri: str, now: datetime
    ) -> AuthorizationRequest | None:
        """The request of a request_uri, once; None if there is none of this client.

        Raises:
            UnavailableError: if nobody can say so.
        """
        key = self._key(client_id, request_uri.removeprefix(REQUEST_URI_PREFIX))
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                found = await self.redis.getdel(key)
        except ERRORS as error:
            raise UnavailableError from error
        if found is None:
            return None
        request = self.sealed.open(found.decode() if isinstance(found, bytes) else found, now)
        # Our own clock counts, too.
        if request is None or now.timestamp() - request.requested_at >= LIFETIME.total_seconds():
            return None
        return request

    def _key(self, client_id: str, name: str) -> str:
        return PREFIX + self.secrets.mac(PURPOSE, f"{client_id} {name!a}").hex()
