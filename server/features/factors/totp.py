"""Codes of authenticator apps (RFC 6238): SHA-1, 30 seconds, 6 digits, which all apps know."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode

SECRET_BYTES = 20
STEP_SECONDS = 30
DIGITS = 6
# How many steps the clocks of an app and of ours may be apart (RFC 6238, section 5.2).
DRIFT = 1

# No other digits: `str.isdigit` takes those of all scripts.
_CODE = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Totp:
    """The secret that an app and we share."""

    secret: bytes = field(repr=False)

    @classmethod
    def new(cls) -> Totp:
        """A random one."""
        return cls(os.urandom(SECRET_BYTES))

    @property
    def base32(self) -> str:
        """As people type it in, without padding."""
        return base64.b32encode(self.secret).decode().rstrip("=")

    def uri(self, issuer: str, account: str) -> str:
        """As apps scan it.

        Args:
            issuer: the name of the platform.
            account: whose it is, an address.
        """
        label = quote(f"{issuer}:{account}", safe="@:")
        query = urlencode({"secret": self.base32, "issuer": issuer}, quote_via=quote)
        return f"otpauth://totp/{label}?{query}"

    def step(self, code: str, now: datetime) -> int | None:
        """The number of the time step that a code belongs to; None if it is of none near now."""
        if not _CODE.fullmatch(code):
            return None
        current = int(now.timestamp()) // STEP_SECONDS
        # The newest first: of two steps with the same code it is the one that uses up most.
        for step in range(current + DRIFT, current - DRIFT - 1, -1):
            if hmac.compare_digest(self.code(step), code):
                return step
        return None

    def code(self, step: int) -> str:
        """The code of a time step (RFC 4226, section 5.3)."""
        digest = hmac.new(self.secret, step.to_bytes(8), hashlib.sha1).digest()
        offset = digest[-1] & 0xF
        number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF
        return f"{number % 10**DIGITS:0{DIGITS}}"
