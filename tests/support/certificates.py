"""Certificates of TLS clients, as the proxy in front of us tells them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from portico_kit.client_certificates import (
    CERTIFICATE_HEADER,
    MEMBER,
    PROXY_SECRET_HEADER,
    thumbprint,
)

PROXY_SECRET = "what only the proxy in front of us knows"


@dataclass(frozen=True)
class Certificate:
    """A certificate that its owner has signed."""

    der: bytes

    @property
    def cnf(self) -> dict[str, str]:
        """The claim of tokens that are bound to it."""
        return {MEMBER: thumbprint(self.der)}

    @property
    def header(self) -> dict[str, str]:
        """What anybody can send: certificates are no secret."""
        return {CERTIFICATE_HEADER: f":{base64.b64encode(self.der).decode()}:"}

    @property
    def told(self) -> dict[str, str]:
        """What the proxy sends."""
        return {**self.header, PROXY_SECRET_HEADER: PROXY_SECRET}


def new_certificate(key: Any = None) -> Certificate:
    """A certificate of a key; of a new one if none is given."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an application")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return Certificate(built.public_bytes(Encoding.DER))
