"""The public URL of a platform, as a setting."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from portico_kit.oauth_metadata import issuer_of

# What stands in the values of headers, quoted.
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:_-]+")


def _public_url(value: str) -> str:
    """A URL of HTTP, with a host and without a user.

    Raises:
        ValueError: if it is none.
    """
    try:
        if _ORIGIN.fullmatch(issuer_of(value)) and urlsplit(value).username is None:
            return value
    except ValueError:
        pass
    raise ValueError("give an address such as https://api.example.com")


PublicUrl = Annotated[str, AfterValidator(_public_url)]
