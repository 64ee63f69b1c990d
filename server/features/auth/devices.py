"""Devices: how a client shows that it has signed in before.

Each sign-in answers with a token that the client keeps, for all accounts that are used on it.
It says nothing and allows nothing; it tells a device from a stranger.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from uuid import UUID

from portico_kit.secrets import Secrets
from server.common.networks import network
from server.features.auth.signed_tokens import SignedTokens

TOKEN_PURPOSE = "device-token"  # noqa: S105 (the name of a purpose)
PLACE_PURPOSE = "sign-in-place"
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
        self._tokens = SignedTokens(secrets, TOKEN_PURPOSE, RANDOM_BYTES, SIGNATURE_BYTES)

    def recognize(self, token: str) -> Device:
        """The device of a token; a new one, if we did not issue it."""
        if self._tokens.body(token) is not None:
            return Device(token, presented=True)
        return Device(self._tokens.token(os.urandom(RANDOM_BYTES)), presented=False)

    def device_hash(self, device: Device, user_id: UUID) -> bytes:
        """What is kept of a device; another for each account, so that none can be compared."""
        return self._secrets.mac(PLACE_PURPOSE, f"device {user_id} {device.token}")

    def network_hash(self, address: str, user_id: UUID) -> bytes:
        """What is kept of the network of a client."""
        return self._secrets.mac(PLACE_PURPOSE, f"network {user_id} {network(address)}")
