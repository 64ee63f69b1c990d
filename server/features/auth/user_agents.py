"""What a client says of itself, in words of ours.

A mail about a stranger must not carry the stranger's text: a User-Agent can be a telephone
number to call. So a known word in it is named, and whatever else it says is not.
"""

from __future__ import annotations

UNKNOWN = "an unknown program"

# In this order: one browser names several others.
_PROGRAMS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("okhttp/", "an app"),
    ("CFNetwork/", "an app"),
    ("Dart/", "an app"),
    ("grpc-", "a gRPC client"),
    ("python", "a Python program"),
    ("aiohttp/", "a Python program"),
    ("Go-http-client/", "a Go program"),
    ("Java", "a Java program"),
    ("node", "a JavaScript program"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def program(user_agent: str) -> str:
    """The program and its system, "Firefox on Linux", as far as they are known."""
    name = _first(_PROGRAMS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    return " on ".join((name or UNKNOWN, *([system] if system else [])))


def _first(words: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((named for word, named in words if word in text), None)
