"""The keys that verify tokens, as the core publishes them, and copied as long as they are new."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from portico.auth.v1.auth_service_pb2 import JsonWebKey

# As long as Envoy keeps them: what is taken back stops working.
FRESH_SECONDS = 30.0
# A made-up name of a key makes nobody ask more often.
ASK_AGAIN_SECONDS = 1.0

log = structlog.get_logger("authorize")


class KeySource(Protocol):
    """Where the keys are published."""

    async def signing_keys(self) -> Sequence[JsonWebKey] | None:
        """All of them; None if they cannot be had."""
        ...


class PublishedKeys:
    """Finds keys by their names."""

    def __init__(self, source: KeySource) -> None:
        self._source = source
        self._keys: Mapping[str, EllipticCurvePublicKey] = {}
        self._has_keys = False
        self._asked_at = float("-inf")
        self._fetched_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no keys are known yet: nothing can be verified."""
        return not self._has_keys

    async def find(self, kid: str) -> EllipticCurvePublicKey | None:
        """The key of that name, or None. While the core does not answer, the last copy is used."""
        now = time.monotonic()
        stale = now - self._fetched_at > FRESH_SECONDS or kid not in self._keys
        if stale and now - self._asked_at > ASK_AGAIN_SECONDS and self._fetching is None:
            self._asked_at = now
            self._fetching = asyncio.create_task(self._fetch())
        if stale and self._fetching is not None:
            # Shielded, for a caller that cancels must not cancel it for the others.
            await asyncio.shield(self._fetching)
        return self._keys.get(kid)

    async def _fetch(self) -> None:
        try:
            published = await self._source.signing_keys()
            if published is not None:
                self._keys = {key.kid: _public_key(key) for key in published if _signs_tokens(key)}
                self._has_keys, self._fetched_at = True, time.monotonic()
        finally:
            self._fetching = None


def _signs_tokens(key: JsonWebKey) -> bool:
    """Whether access tokens are signed with it; the others sign ID tokens alone."""
    return key.kty == "EC" and key.crv == "P-256" and key.alg == "ES256"


def _public_key(key: JsonWebKey) -> EllipticCurvePublicKey:
    x, y = (int.from_bytes(base64.urlsafe_b64decode(part + "==")) for part in (key.x, key.y))
    return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
