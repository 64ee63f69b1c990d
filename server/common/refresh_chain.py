"""The refresh tokens of a session, or of an application: a chain that is counted, kept nowhere.

The owner of a chain keeps the number of its newest token. A token is good until its successor
has been used, however long that takes: whoever did not get an answer asks again, and gets the
same one. What comes after the successor was used is held by somebody else, too.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass, field
from uuid import UUID

from portico_kit.secrets import Secrets

# The form, the owner of the chain, the number of the token, and what proves that we made it.
_LAYOUT = struct.Struct(">B16sI32s")


def is_reused(number: int, newest: int) -> bool:
    """Whether the successor of a token has been used: it has then a successor itself.

    A number above the newest is good: only we can have made the token, and the database was
    restored to an earlier state since.

    Args:
        number: of the token that is presented.
        newest: the highest number that the chain has given out.
    """
    return newest > number + 1


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """What a refresh token says of itself; whether it is true is another question."""

    owner_id: UUID
    number: int
    proof: bytes = field(repr=False)


class RefreshTokens:
    """Computes the tokens of one kind of owner, and reads those that are presented.

    A token is proven by a keyed hash over the owner's random seed, so neither the secret key
    nor a copy of the database alone is enough to make one.
    """

    def __init__(self, secrets: Secrets, purpose: str, form: int) -> None:
        """Takes what the tokens are for, and the number with which such a token begins.

        Args:
            purpose: of the keyed hash; a token of one kind is none of another.
        """
        self._secrets = secrets
        self._purpose = purpose
        self._form = form

    def token(self, owner_id: UUID, seed: bytes, number: int) -> str:
        """The token of an owner with this number: the same at each call."""
        proof = self._proof(owner_id, seed, number)
        packed = _LAYOUT.pack(self._form, owner_id.bytes, number, proof)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    def read(self, token: str) -> PresentedToken | None:
        """What a token says; None if it has not the form of one."""
        try:
            packed = base64.b64decode(token + "=", b"-_", validate=True)
            form, owner_id, number, proof = _LAYOUT.unpack(packed)
        except (binascii.Error, ValueError, struct.error):
            return None
        if form != self._form:
            return None
        return PresentedToken(UUID(bytes=owner_id), number, proof)

    def is_ours(self, presented: PresentedToken, seed: bytes) -> bool:
        """Whether we made it, for the owner that has this seed."""
        proof = self._proof(presented.owner_id, seed, presented.number)
        return hmac.compare_digest(proof, presented.proof)

    def _proof(self, owner_id: UUID, seed: bytes, number: int) -> bytes:
        return self._secrets.mac(self._purpose, f"{owner_id} {number} {seed.hex()}")
