"""Random secrets: one-time tokens, and API keys whose form can be checked without a look-up."""

from __future__ import annotations

import secrets
import string
import zlib
from dataclasses import dataclass

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
BODY_LENGTH = 32  # characters of 5.95 bits: 190 bits
CHECKSUM_LENGTH = 6  # enough for the 32 bits of CRC-32
SHOWN_LENGTH = 6  # characters of the body that stay known, in the prefix
TOKEN_BYTES = 32

ENVIRONMENTS = ("live", "test")
# How each of our API keys starts; none that was made elsewhere may.
OURS = "pk_"


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """An API key of the right form; whether it exists is another question."""

    environment: str
    prefix: str


def new_token() -> str:
    """A one-time token of 256 random bits, safe in an address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def new_api_key(environment: str) -> str:
    """A new API key: "pk_", the environment, a random body and its checksum.

    Args:
        environment: "live" or "test".
    """
    return _new_secret("pk", environment)


def new_client_secret(environment: str) -> str:
    """A new client secret of an application: "ps_", and the rest as an API key has it.

    It has only characters that are written alike in a header, a form and a URL.

    Args:
        environment: "live" or "test".
    """
    return _new_secret("ps", environment)


def parse_api_key(secret: str) -> ParsedKey | None:
    """What an API key says of itself, or None if it is mistyped or made up."""
    parts = secret.split("_")
    if len(parts) != 3 or parts[0] != "pk" or parts[1] not in ENVIRONMENTS:
        return None
    if len(parts[2]) != BODY_LENGTH + CHECKSUM_LENGTH or not parts[2].isascii():
        return None
    if not secrets.compare_digest(_checksum(secret[:-CHECKSUM_LENGTH]), secret[-CHECKSUM_LENGTH:]):
        return None
    return ParsedKey(environment=parts[1], prefix=api_key_prefix(secret))


def api_key_prefix(secret: str) -> str:
    """The start of an API key that may be shown, for example "pk_live_3fX9Ab"."""
    return secret_prefix(secret)


def secret_prefix(secret: str) -> str:
    """The start of any of our secrets that may be shown."""
    body_starts = secret.rindex("_") + 1
    return secret[: body_starts + SHOWN_LENGTH]


def _new_secret(kind: str, environment: str) -> str:
    body = "".join(secrets.choice(ALPHABET) for _ in range(BODY_LENGTH))
    unsigned = f"{kind}_{environment}_{body}"
    return unsigned + _checksum(unsigned)


def _checksum(text: str) -> str:
    """CRC-32 in base 62. It finds typing mistakes; it is no protection and needs none."""
    value, digits = zlib.crc32(text.encode()), []
    for _ in range(CHECKSUM_LENGTH):
        value, digit = divmod(value, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
