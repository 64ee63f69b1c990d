"""The refresh tokens of a session: a chain that is counted, and kept nowhere.

The session keeps the number of its newest token. A token is good until its successor has been
used, however long that takes: whoever did not get an answer asks again, and gets the same
one. What comes after the successor was used is held by somebody else, too.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass, field
from uuid import UUID

from portico_kit.secrets import Secrets

PURPOSE = "refresh-chain"
# The form, the session, the number of the token, and what proves that we made it.
_LAYOUT = struct.Struct(">B16sI32s")
_FORM = 1


def is_reused(number: int, newest: int) -> bool:
    """Whether the successor of a token has been used: it has then a successor itself.

    A number above the newest is good: only we can have made the token, and the database was
    restored to an earlier state since.

    Args:
        number: of the token that is presented.
        newest: the highest number that the session has given out.
    """
    return newest > number + 1


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """What a refresh token says of itself; whether it is true is another question."""

    session_id: UUID
    number: int
    proof: bytes = field(repr=False)


class RefreshTokens:
    """Computes the tokens of sessions, and reads those that are presented.

    A token is proven by a keyed hash over the session's random seed, so neither the secret key
    nor a copy of the database alone is enough to make one.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def token(self, session_id: UUID, seed: bytes, number: int) -> str:
        """The token of a session with this number: the same at each call."""
        proof = self._proof(session_id, seed, number)
        packed = _LAYOUT.pack(_FORM, session_id.bytes, number, proof)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    def read(self, token: str) -> PresentedToken | None:
        """What a token says; None if it has not the form of one."""
        try:
            packed = base64.b64decode(token + "=", b"-_", validate=True)
            form, session_id, number, proof = _LAYOUT.unpack(packed)
        except (binascii.Error, ValueError, struct.error):
            return None
        return PresentedToken(UUID(bytes=session_id), number, proof) if form == _FORM else None

    def is_ours(self, presented: PresentedToken, seed: bytes) -> bool:
        """Whether we made it, for the session that has this seed."""
        proof = self._proof(presented.session_id, seed, presented.number)
        return hmac.compare_digest(proof, presented.proof)

    def _proof(self, session_id: UUID, seed: bytes, number: int) -> bytes:
        return self._secrets.mac(PURPOSE, f"{session_id} {number} {seed.hex()}")
