"""Certificates of TLS clients, as the proxy that ends TLS in front of us tells them (RFC 9440).

Certificates are public: whoever could name one would be its owner. So the proxy shows with each
request that it is the proxy, by a secret that nobody else has; where an address stands in a
network shows nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

CERTIFICATE_HEADER = "client-cert"
PROXY_SECRET_HEADER = "x-proxy-secret"  # noqa: S105 - the name of a header
# The member of `cnf` (RFC 8705, section 3.1); before a thumbprint it tells it from one of a key.
MEMBER = "x5t#S256"
BOUND_TO_CERTIFICATE = f"{MEMBER}:"
MAX_CHARACTERS = 12 * 1024


class ClientCertificates:
    """Reads the certificate of a request."""

    def __init__(self, proxy_secret: str) -> None:
        """Takes the secret of the proxy; "" if there is no proxy that tells certificates."""
        self._secret = proxy_secret.encode()

    def read(self, proxy_secrets: Sequence[str], certificates: Sequence[str]) -> bytes:
        """The certificate (DER) that our proxy tells; b"" if there is none.

        Args:
            proxy_secrets: the values of the header with the proxy's secret.
            certificates: the values of the header with the certificate: one that is there
                twice was not written by the proxy alone.
        """
        if not self._secret or len(proxy_secrets) != 1 or len(certificates) != 1:
            return b""
        if not hmac.compare_digest(proxy_secrets[0].encode(), self._secret):
            return b""
        return _decoded(certificates[0])


def _decoded(value: str) -> bytes:
    """A byte sequence of RFC 8941, section 3.3.5; b"" for anything else."""
    value = value.strip()
    if len(value) > MAX_CHARACTERS or len(value) < 3 or value[0] != ":" or value[-1] != ":":
        return b""
    try:
        return base64.b64decode(value[1:-1], validate=True)
    except (binascii.Error, ValueError):
        return b""


def thumbprint(certificate: bytes) -> str:
    """SHA-256 of a certificate (DER), base64url (RFC 8705, section 3.1)."""
    digest = hashlib.sha256(certificate).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def binding(certificate: bytes) -> str:
    """What a token is bound to that is bound to a certificate; "" if there is none."""
    return BOUND_TO_CERTIFICATE + thumbprint(certificate) if certificate else ""


def bound_certificate(claims: Mapping[str, Any]) -> str:
    """The thumbprint of the certificate that a token is bound to; "" if it is bound to none."""
    bound = claims.get("cnf")
    found = bound.get(MEMBER) if isinstance(bound, Mapping) and len(bound) == 1 else None
    return found if isinstance(found, str) and found.isascii() else ""


def is_bound_to(claims: Mapping[str, Any], certificate: bytes) -> bool:
    """Whether a token is bound to this certificate."""
    expected = bound_certificate(claims)
    return bool(expected and certificate) and hmac.compare_digest(thumbprint(certificate), expected)
