"""Forms that come from our own pages alone: a token in each, and what the browser says of them.

The token is an HMAC over a cookie that other sites can neither read nor set (`__Host-`), and
so bound to one browser, of somebody signed in or of nobody. Each page has another one, so
that what a page compresses to tells nothing about it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlsplit

FIELD = "form_token"
MAX_BYTES = 64 * 1024
MAX_FIELDS = 100
CONTENT_TYPE = "application/x-www-form-urlencoded"
_NONCE_BYTES = 16


class FormTokens:
    """Makes the tokens and checks them."""

    def __init__(self, internal_token: str) -> None:
        """Derives the key, so that every process of the pages has the same one."""
        self._key = hmac.digest(internal_token.encode(), b"web-forms", hashlib.sha256)

    def issue(self, cookie: str) -> str:
        """A token for a form on a page for the browser with this cookie."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._mac(nonce, cookie)).decode()

    def accepts(self, token: str, cookies: Iterable[str]) -> bool:
        """Whether the token was made for one of these cookies."""
        try:
            raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeError):
            return False
        nonce, mac = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
        return any(hmac.compare_digest(mac, self._mac(nonce, cookie)) for cookie in cookies)

    def _mac(self, nonce: bytes, cookie: str) -> bytes:
        return hmac.digest(self._key, nonce + cookie.encode(), hashlib.sha256)


def new_cookie() -> str:
    """What the forms of a browser are bound to in which nobody is signed in."""
    return secrets.token_urlsafe(16)


def is_foreign(headers: Mapping[str, str], public_url: str) -> bool:
    """Whether the browser says that a form comes from another site.

    A second line: it says nothing on plain HTTP, and its Origin is "null" where a page keeps
    its address to itself, as ours do.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("Origin")
    if origin is None or origin == "null":
        return False
    own_host = headers.get("Host", "").lower()
    return origin != _origin(public_url) and urlsplit(origin).netloc.lower() != own_host


def read_fields(body: bytes) -> dict[str, str]:
    """The fields of a form, the first of each name.

    Raises:
        ValueError: if there are too many.
    """
    fields: dict[str, str] = {}
    text = body.decode("utf-8", "replace")
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS):
        # No text of ours has a NUL, and browsers send every line end as two characters.
        fields.setdefault(name, value.replace("\0", "").replace("\r\n", "\n"))
    return fields


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
