"""Where a person may be sent: our own pages, and the places that the operator has registered.

What is compared is what a URL means, not how it is written, and what is sent is what was
compared: browsers and URL parsers of servers disagree about backslashes, line ends, user
names and much else, so a text with any of these is no place at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from edge.web.paths import PAGE_PATHS

MAX_LENGTH = 2000
# Of the pages of ours: an application's request is in the address of one.
MAX_OWN_LENGTH = 8000
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_DEFAULT_PORTS = {"https": 443, "http": 80}
# RFC 3986's characters; a backslash, white space, quotes and what is not ASCII are none of them.
_CHARACTERS = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/?#\[\]-]+\Z")
_HOST = re.compile(r"[a-z0-9.-]+\Z")
# Of our own paths no character has to be escaped.
_OWN_PATH = re.compile(r"(/[A-Za-z0-9_-]+)+\Z")
_FORM = "give https:// URLs of a host and, if only a part of it is meant, a path"


@dataclass(frozen=True, slots=True)
class ReturnPlace:
    """An origin, or what is below one path of it."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> ReturnPlace:
        """The place that a setting names.

        Raises:
            ValueError: if it is not the URL of one, or not safe on its way: without TLS only
                this machine is.
        """
        parts = _split(url)
        if parts is None or parts.query or parts.fragment or _has_odd_segments(parts.path):
            raise ValueError(_FORM)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError(f"{_FORM}; http:// is for this machine alone")
        return cls(*_origin(parts), parts.path.rstrip("/"))

    @property
    def origin(self) -> str:
        """The origin as browsers write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    def covers(self, parts: SplitResult) -> bool:
        """Whether a URL is at this place."""
        if _origin(parts) != (self.scheme, self.host, self.port):
            return False
        if not self.path:
            return True
        path = parts.path
        below = path == self.path or path.startswith(f"{self.path}/")
        return below and not _has_odd_segments(path)


class ReturnPlaces:
    """Decides about the `return_to` of a request."""

    def __init__(self, urls: Iterable[str] = ()) -> None:
        self._places: Sequence[ReturnPlace] = [ReturnPlace.parse(url) for url in urls]

    def accept(self, text: str | None) -> str | None:
        """The place to go to, or None if it is not registered."""
        if not text or len(text) > MAX_OWN_LENGTH or not _CHARACTERS.match(text):
            return None
        if text.startswith("/"):
            return _own_page(text)
        if len(text) > MAX_LENGTH:
            return None
        parts = _split(text)
        if parts is None:
            return None
        for place in self._places:
            if place.covers(parts):
                return place.origin + urlunsplit(("", "", parts.path or "/", *parts[3:]))
        return None


def is_own(place: str) -> bool:
    """Whether an accepted place is a page of ours."""
    return place.startswith("/")


def _own_page(text: str) -> str | None:
    """The place, if it is a page of ours; one that begins with two slashes is a host."""
    path, _, query = text.partition("#")[0].partition("?")
    known = _OWN_PATH.match(path) and any(
        page.return_place and page.covers(path) for page in PAGE_PATHS
    )
    if not known:
        return None
    return f"{path}?{query}" if query else path


def _split(text: str) -> SplitResult | None:
    """The parts of an absolute URL that is written without tricks."""
    if not _CHARACTERS.match(text):
        return None
    try:
        parts = urlsplit(text)
        has_port = parts.port != 0
    except ValueError:
        return None
    host = parts.hostname or ""
    written_out = text.lower().startswith(f"{parts.scheme}://")
    plain_host = "@" not in parts.netloc and bool(_HOST.match(host) or host == "::1")
    good = parts.scheme in _DEFAULT_PORTS and written_out and plain_host and has_port
    return parts if good else None


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def _has_odd_segments(path: str) -> bool:
    """Whether a path leads elsewhere for some of those who read it."""
    plain = unquote(unquote(path))
    escaped = re.search(r"%(2f|5c|25|00)", path, re.IGNORECASE) is not None
    return escaped or "\\" in plain or any(part in (".", "..") for part in plain.split("/"))
