"""Clients that prove who they are by the key of a certificate: self_signed_tls_client_auth.

RFC 8705, section 2.2. The connection has shown that the client has the key; here it is held
against the keys that the client registered. Nobody has to vouch for the certificate, and what else
is in it does not matter.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.common.outbound_json import FetchFailedError
from server.features.applications.client_keys import ClientKeys
from server.features.applications.errors import InvalidClientError
from server.features.applications.jwks import PublicKey
from server.features.applications.read_models import Client


@dataclass(frozen=True, slots=True)
class ClientCertificateKeys:
    """Holds certificates against the keys of clients."""

    keys: ClientKeys

    async def check(self, client: Client, certificate: bytes) -> Client:
        """The client, if the certificate (DER) has one of its keys.

        Raises:
            InvalidClientError: if not.
        """
        presented = _public_key(certificate)
        for fresh in (False, True) if client.jwks_uri else (False,):
            try:
                keys = await self.keys.of(client, fresh=fresh)
            except FetchFailedError:
                continue
            if any(hmac.compare_digest(presented, _encoded(each)) for each in keys):
                return client
        raise InvalidClientError


def _public_key(certificate: bytes) -> bytes:
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidClientError from None


def _encoded(key: PublicKey) -> bytes:
    return key.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
