"""Devices: how a client shows that it has signed in before.

Each sign-in answers with a token that the client keeps, for all accounts that are used on it.
It says nothing and allows nothing; it tells a device from a stranger.
"""

from __future__ import annotations

import base64
import hmac
import os
from dataclasses import dataclass, field
from uuid import UUID

from portico_kit.secrets import Secrets
from server.features.auth.networks import network

TOKEN_PURPOSE = "device-token"  # noqa: S105 (the name of a purpose)
PLACE_PURPOSE = "sign-in-place"
# Together a multiple of three, so that base64 has nothing to fill up.
RANDOM_BYTES = 32
SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Device:
    """A device at a sign-in.

    Attributes:
        presented: whether it brought its token along, so that it may be known.
    """

    token: str = field(repr=False)
    presented: bool


class Devices:
    """Issues the tokens of devices, and hashes them.

    A token carries a signature of ours: one that is made up, and may be guessed, is none.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def recognize(self, token: str) -> Device:
        """The device of a token; a new one, if we did not issue it."""
        if self._is_ours(token):
            return Device(token, presented=True)
        body = os.urandom(RANDOM_BYTES)
        return Device(_encode(body + self._signature(body)), presented=False)

    def device_hash(self, device: Device, user_id: UUID) -> bytes:
        """What is kept of a device; another for each account, so that none can be compared."""
        return self._secrets.mac(PLACE_PURPOSE, f"device {user_id} {device.token}")

    def network_hash(self, address: str, user_id: UUID) -> bytes:
        """What is kept of the network of a client."""
        return self._secrets.mac(PLACE_PURPOSE, f"network {user_id} {network(address)}")

    def _is_ours(self, token: str) -> bool:
        try:
            raw = base64.urlsafe_b64decode(token)
        except ValueError:
            return False
        body, signature = raw[:RANDOM_BYTES], raw[RANDOM_BYTES:]
        ours = hmac.compare_digest(signature, self._signature(body))
        # One device has one token: base64 is read in more than one spelling.
        return ours and len(raw) == RANDOM_BYTES + SIGNATURE_BYTES and _encode(raw) == token

    def _signature(self, body: bytes) -> bytes:
        return self._secrets.mac(TOKEN_PURPOSE, body.hex())[:SIGNATURE_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
