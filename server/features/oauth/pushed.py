"""Pushed authorization requests (RFC 9126): kept in Valkey, sealed, for one decision.

The decision is the use, not the page before it: browsers load an address ahead of the person, and
people reload it (FAPI 2.0 Security Profile, section 5.3.2.2, note 3).
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from redis.asyncio import Redis

from portico_kit.errors import UnavailableError
from portico_kit.secrets import Secrets
from server.common.scripts import ERRORS, TIMEOUT_SECONDS
from server.features.oauth.requests import (
    REQUEST_LIFETIME,
    AuthorizationRequest,
    SealedRequests,
)

# RFC 9126, section 2.2.
REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
LIFETIME = timedelta(seconds=60)
PURPOSE = "oauth-pushed-request"
NAME_PURPOSE = "oauth-pushed-request-name"
PREFIX = "pushed-authorization:"
DECIDED_PREFIX = "pushed-authorization-decided:"


@dataclass(frozen=True, slots=True)
class PushedRequests:
    """Keeps them under names that nobody guesses, of which Valkey has the hashes.

    Another client that presents a name finds nothing under it.
    """

    redis: Redis
    secrets: Secrets
    sealed: SealedRequests

    async def keep(self, request: AuthorizationRequest) -> str:
        """The request_uri of a request.

        Raises:
            UnavailableError: if it cannot be kept.
        """
        name = self._name(request)
        key = self._key(request.client_id, name)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self.redis.set(key, self.sealed.seal(request), ex=LIFETIME)
        except ERRORS as error:
            raise UnavailableError from error
        return REQUEST_URI_PREFIX + name

    async def find(
        self, client_id: str, request_uri: str, now: datetime
    ) -> AuthorizationRequest | None:
        """The request of a request_uri; None if there is none of this client, or it was decided.

        Raises:
            UnavailableError: if nobody can say so.
        """
        key = self._key(client_id, request_uri.removeprefix(REQUEST_URI_PREFIX))
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                found = await self.redis.get(key)
        except ERRORS as error:
            raise UnavailableError from error
        if found is None:
            return None
        request = self.sealed.open(found.decode() if isinstance(found, bytes) else found, now)
        # Our own clock counts, too.
        if request is None or now.timestamp() - request.requested_at >= LIFETIME.total_seconds():
            return None
        return request

    async def decide(self, request: AuthorizationRequest, user_id: UUID) -> bool:
        """Uses a request up. Whether this person may decide it: nobody else has before.

        Raises:
            UnavailableError: if nobody can say so.
        """
        person = self.secrets.mac(PURPOSE, f"{request.jti} {user_id}").hex()
        decided = DECIDED_PREFIX + self.secrets.mac(PURPOSE, request.jti).hex()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), self.redis.pipeline() as pipeline:
                pipeline.set(decided, person, nx=True, get=True, ex=REQUEST_LIFETIME)
                pipeline.delete(self._key(request.client_id, self._name(request)))
                before, _ = await pipeline.execute()
        except ERRORS as error:
            raise UnavailableError from error
        return before is None or before in (person, person.encode())

    def _name(self, request: AuthorizationRequest) -> str:
        """What the request_uri ends with: who knows the request but not our secret cannot say."""
        name = self.secrets.mac(NAME_PURPOSE, request.jti)
        return base64.urlsafe_b64encode(name).decode().rstrip("=")

    def _key(self, client_id: str, name: str) -> str:
        return PREFIX + self.secrets.mac(PURPOSE, f"{client_id} {name!a}").hex()
