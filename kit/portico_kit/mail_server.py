"""The address of the mail server, as `portico run` and the workers read it.

It imports little: the supervisor stays in memory for as long as the platform runs.
"""

from __future__ import annotations

from urllib.parse import urlsplit

SMTP_SCHEMES = ("smtp", "smtps")
SMTP_FORM = "give smtp://host:port or smtps://host:port"


def smtp_url(value: str) -> str:
    """A URL of a mail server. It may hold a password, so the message does not repeat it.

    Raises:
        ValueError: if it is none.
    """
    try:
        parts = urlsplit(value)
        good = parts.scheme in SMTP_SCHEMES and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(SMTP_FORM)
    return value
