"""The refresh tokens of a session, or of an application: a chain that is counted, kept nowhere.

The owner of a chain keeps the number of its newest token. A token is good until its successor
has been used, however long that takes: whoever did not get an answer asks again, and gets the
same one. What comes after the successor was used is held by somebody else, too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from uuid import UUID

from portico_kit.secrets import Secrets

# The form, the owner of the chain, the number of the token, and what proves that we made it.
_LAYOUT = struct.Struct(">B16sI32s")
_NUMBER = struct.Struct(">I")
# A row counts up to here; who says a higher number has made it up.
_HIGHEST = 2**31 - 2


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

    @property
    def number_bytes(self) -> bytes:
        """The number as the seed's hash has it, see `RefreshTokens.seed_hash`."""
        return _NUMBER.pack(self.number)


class RefreshTokens:
    """Computes the tokens of one kind of owner, and reads those that are presented.

    What proves a token is a hash of its owner's random seed and its number, under a mask that
    only the secret key makes. So neither the secret key nor a copy of the database alone is
    enough to make one, and the database itself can tell whether it is ours: it gets to see
    nothing but the hash, which it could compute anyway.
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
        proof = _xor(_hash(seed, number), self._mask(owner_id, number))
        packed = _LAYOUT.pack(self._form, owner_id.bytes, number, proof)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    def read(self, token: str) -> PresentedToken | None:
        """What a token says; None if it has not the form of one."""
        try:
            packed = base64.b64decode(token + "=", b"-_", validate=True)
            form, owner_id, number, proof = _LAYOUT.unpack(packed)
        except (binascii.Error, ValueError, struct.error):
            return None
        if form != self._form or number > _HIGHEST:
            return None
        return PresentedToken(UUID(bytes=owner_id), number, proof)

    def is_ours(self, presented: PresentedToken, seed: bytes) -> bool:
        """Whether we made it, for the owner that has this seed."""
        expected = _hash(seed, presented.number)
        return hmac.compare_digest(expected, self.seed_hash(presented))

    def seed_hash(self, presented: PresentedToken) -> bytes:
        """The SHA-256 of its owner's seed and `number_bytes`, if we made it; else anything."""
        return _xor(presented.proof, self._mask(presented.owner_id, presented.number))

    def _mask(self, owner_id: UUID, number: int) -> bytes:
        return self._secrets.mac(self._purpose, f"{owner_id} {number}")


def _hash(seed: bytes, number: int) -> bytes:
    return hashlib.sha256(seed + _NUMBER.pack(number)).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(len(one))
