"""The public URL of a platform, and the names that are derived from it."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

RESOURCE_METADATA_PATH = "/.well-known/oauth-protected-resource"

_FORM = "give an address such as https://api.example.com"
# What stands in the values of headers, quoted.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:_-]+")


def origin_of(public_url: str) -> str:
    """The public URL without path and slash: the issuer, and the API as a resource (RFC 8707).

    Clients compare it byte for byte, so it is what the operator has written.
    """
    parts = urlsplit(public_url)
    return f"{parts.scheme}://{parts.netloc}"


def resource_metadata_url(origin: str) -> str:
    """Where clients read by whom the API lets itself be authorized (RFC 9728)."""
    return origin + RESOURCE_METADATA_PATH


def _public_url(value: str) -> str:
    """A URL of HTTP, with a host and without a user.

    Raises:
        ValueError: if it is none.
    """
    try:
        if _ORIGIN.fullmatch(origin_of(value)) and urlsplit(value).port != 0:
            return value
    except ValueError:
        pass
    raise ValueError(_FORM)


PublicUrl = Annotated[str, AfterValidator(_public_url)]
