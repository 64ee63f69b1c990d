"""Parameters of a request: a form, read strictly (RFC 6749, section 3.2 and appendix B)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote_to_bytes

from edge.web.oauth.errors import OAuthError, invalid_request

CONTENT_TYPE = "application/x-www-form-urlencoded"
MAX_BYTES = 64 * 1024
MAX_PARAMETERS = 100
# RFC 8707, section 2, and RFC 8693, section 2.1.
REPEATABLE = frozenset({"resource", "audience"})
_MALFORMED_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

Pairs = Sequence[tuple[str, str]]


class Parameters:
    """The parameters of a request, each there once.

    Args:
        pairs: as they came. Those without a value count as absent.

    Raises:
        OAuthError: if one is there twice that may not be.
    """

    def __init__(self, pairs: Pairs) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if value:
                self._values.setdefault(name, []).append(value)
        for name, values in self._values.items():
            if len(values) > 1 and name not in REPEATABLE:
                raise invalid_request(f"The parameter {name} is there more than once.")

    def get(self, name: str) -> str:
        """The value of a parameter; empty if it is absent."""
        values = self._values.get(name)
        return values[0] if values else ""

    def all(self, name: str) -> Sequence[str]:
        """The values of a parameter that may be repeated."""
        return self._values.get(name, ())

    def require(self, name: str) -> str:
        """The value of a parameter.

        Raises:
            OAuthError: if it is absent.
        """
        value = self.get(name)
        if not value:
            raise invalid_request(f"The parameter {name} is missing.")
        return value

    def __contains__(self, name: str) -> bool:
        return name in self._values


def check_form(headers: Mapping[str, str]) -> None:
    """Refuses what is no form.

    Raises:
        OAuthError: if the content has another type, or another charset than UTF-8.
    """
    content_type = headers.get("Content-Type", "")
    if content_type == CONTENT_TYPE:
        return
    kind, *options = (part.strip().lower() for part in content_type.split(";"))
    if kind != CONTENT_TYPE:
        raise invalid_request(f"The content type must be {CONTENT_TYPE}.")
    for option in options:
        name, _, value = option.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise invalid_request("The charset must be UTF-8.")


def read_pairs(encoded: str) -> Pairs:
    """The names and values of a form or a query, in their order.

    Raises:
        OAuthError: if it is malformed, no UTF-8, or has too many parameters.
    """
    if not encoded.isascii():
        raise invalid_request("Characters beyond ASCII must be percent-encoded.")
    if "%" in encoded and _MALFORMED_ESCAPE.search(encoded):
        raise invalid_request("A percent sign must be followed by two hexadecimal digits.")
    parts = [part for part in encoded.split("&") if part]
    if len(parts) > MAX_PARAMETERS:
        raise invalid_request("There are too many parameters.")
    pairs = []
    for part in parts:
        name, _, value = part.partition("=")
        pairs.append((decode(name), decode(value)))
    return pairs


def decode(text: str) -> str:
    """A name or a value as it was before it was encoded.

    Raises:
        OAuthError: if it is no UTF-8.
    """
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise invalid_request("The text is not UTF-8.") from None
    if "\0" in decoded:
        raise invalid_request("A parameter has a NUL character.")
    return decoded


def read_form(headers: Mapping[str, str], body: bytes) -> Pairs:
    """The names and values of a form.

    Raises:
        OAuthError: if it is no form, too large, or malformed.
    """
    check_form(headers)
    if len(body) > MAX_BYTES:
        raise OAuthError("invalid_request", "The form is too large.", status=413)
    try:
        encoded = body.decode("ascii")
    except UnicodeDecodeError:
        raise invalid_request("Characters beyond ASCII must be percent-encoded.") from None
    return read_pairs(encoded)
