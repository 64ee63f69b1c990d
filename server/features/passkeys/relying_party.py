"""The site that passkeys are for, and where it may be shown."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

LOCALHOST = "localhost"
ANDROID = "android:"
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The site that passkeys are for (WebAuthn level 3, section 4).

    Attributes:
        id: its domain.
        name: of the product.
        origins: the pages and apps that may use its passkeys, each compared to the letter.
        public_url: where its pages are, without a slash at the end.
    """

    id: str
    name: str
    origins: Sequence[str]
    public_url: str

    @property
    def web_origins(self) -> list[str]:
        """Those of them that are pages."""
        return [origin for origin in self.origins if not origin.startswith(ANDROID)]

    @property
    def manage_url(self) -> str:
        """Where people manage their passkeys."""
        return f"{self.public_url}/account/security"

    @property
    def enroll_url(self) -> str:
        """Where they register one."""
        return f"{self.manage_url}/passkey"


def relying_party(
    public_url: str, name: str, rp_id: str | None, related: Sequence[str]
) -> RelyingParty:
    """The one of a platform.

    Args:
        public_url: where its pages are.
        rp_id: its domain, if not the host of the public URL.
        related: further origins.
    """
    own = own_origin(public_url)
    origins = [own, *(origin for origin in related if origin != own)]
    host = rp_id or urlsplit(own).hostname or LOCALHOST
    return RelyingParty(host, name, origins, public_url.rstrip("/"))


def own_origin(public_url: str) -> str:
    """The origin of the platform's pages.

    Browsers have no passkeys for addresses in numbers: on a developer's machine the pages
    are opened as http://localhost then.
    """
    parts = urlsplit(public_url)
    host = parts.hostname or LOCALHOST
    if _is_loopback(host):
        host = LOCALHOST
    port = parts.port
    suffix = "" if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{host}{suffix}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
