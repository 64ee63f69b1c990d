"""How our edge tells the core that it has checked a proof of possession for a token.

A seal over the token, under the secret that only our services share: whoever reaches the
core otherwise cannot make one, whatever headers they send.
"""

from __future__ import annotations

import hashlib
import hmac

# The gateway strips it from its callers.
POSSESSION_HEADER = "x-edge-possession"
_PURPOSE = b"possession:"


class PossessionSeal:
    """Makes seals, and recognizes them."""

    def __init__(self, internal_token: str) -> None:
        """Takes the secret of our services."""
        self._key = internal_token.encode()

    def make(self, access_token: str) -> str:
        """The seal of a token whose presenter has shown the key that it is bound to."""
        return hmac.new(self._key, _PURPOSE + access_token.encode(), hashlib.sha256).hexdigest()

    def is_valid(self, seal: str, access_token: str) -> bool:
        """Whether a seal is one of ours, for this token."""
        return hmac.compare_digest(seal.encode(), self.make(access_token).encode())
