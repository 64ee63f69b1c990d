"""What a browser keeps for us and nobody can read: sealed, for one purpose, for a while."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag

from portico_kit.secrets import Secrets


class Seals:
    """Seals small things that go into cookies, and opens them."""

    def __init__(self, internal_token: str, clock: Callable[[], float] = time.time) -> None:
        """Derives the key, so that every process of the pages has the same one."""
        self._secrets = Secrets(
            hmac.digest(internal_token.encode(), b"web-cookies", hashlib.sha256)
        )
        self._clock = clock

    def seal(self, purpose: str, content: Mapping[str, Any], lifetime_seconds: int) -> str:
        """A text that `unseal` opens for so long.

        Args:
            purpose: the name of the cookie; under another one it is worth nothing.
            content: what can be JSON.
        """
        expires_at = int(self._clock()) + lifetime_seconds
        plain = json.dumps([expires_at, content], separators=(",", ":"), ensure_ascii=False)
        sealed = self._secrets.seal(purpose, plain.encode())
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def unseal(self, purpose: str, text: str) -> dict[str, Any] | None:
        """What was sealed; None if it has expired, or is nothing of ours."""
        try:
            sealed = base64.b64decode(
                text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
            )
            expires_at, content = json.loads(self._secrets.unseal(purpose, sealed))
        except (binascii.Error, UnicodeError, InvalidTag, ValueError):
            return None
        return content if self._clock() < expires_at else None
