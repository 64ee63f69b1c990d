"""The private key of a client of ours, and what its provider may know of it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

KEY_BITS = 2048
# By the curve of the key (RFC 7518, section 3.4).
EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
# All providers know the first; profiles for banks ask for the second.
RSA_ALGORITHMS = ("RS256", "PS256")
# The members of which a thumbprint is made (RFC 7638, section 3.2).
THUMBPRINT = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A key that signs what shows who a client is, and what it asks for."""

    private_key: PrivateKey = field(repr=False)

    @classmethod
    def make(cls) -> ClientKey:
        """A new key. It takes a tenth of a second of a processor."""
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS))

    @classmethod
    def read(cls, pem: str) -> ClientKey:
        """A key as it is kept.

        Raises:
            ValueError: if it is none that can sign.
        """
        try:
            key = load_pem_private_key(pem.encode(), None)
        except TypeError as error:
            raise ValueError("it has a password") from error
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= KEY_BITS:
            return cls(key)
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in EC_ALGORITHMS:
            return cls(key)
        raise ValueError("it is of another kind")

    @property
    def pem(self) -> str:
        """The key as it is kept."""
        return self.private_key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode()

    @property
    def public(self) -> dict[str, str]:
        """The public half, as a JSON Web Key. It is good for several algorithms: none is named."""
        members = self._members()
        kty = members["kty"]
        shown = {name: members[name] for name in THUMBPRINT[kty]}
        canonical = json.dumps(shown, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode()).digest()
        return {**shown, "use": "sig", "kid": base64.urlsafe_b64encode(digest).decode().rstrip("=")}

    def algorithm(self, supported: Sequence[str] = ()) -> str:
        """The algorithm to sign with.

        Args:
            supported: those that the provider knows, if that is known.
        """
        if isinstance(self.private_key, ec.EllipticCurvePrivateKey):
            return EC_ALGORITHMS[self.private_key.curve.name]
        return next((name for name in RSA_ALGORITHMS if name in supported), RSA_ALGORITHMS[0])

    def sign(
        self, claims: Mapping[str, Any], supported: Sequence[str] = (), typ: str = "JWT"
    ) -> str:
        """A token of ours."""
        headers = {"kid": self.public["kid"], "typ": typ}
        return jwt.encode(
            dict(claims), self.private_key, self.algorithm(supported), headers=headers
        )

    def _members(self) -> dict[str, Any]:
        public = self.private_key.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            return RSAAlgorithm.to_jwk(public, as_dict=True)
        return ECAlgorithm.to_jwk(public, as_dict=True)
