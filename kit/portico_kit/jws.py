"""Signed tokens in the compact form (RFC 7515, section 7.1), for keys that are our own.

A library that signs with any key by any algorithm looks at each key and header once more at
each token: half of what a token by ES256 costs. What others present is still read by one.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

# Of either half of a signature by ES256 (RFC 7518, section 3.4).
ES256_BYTES = 32

_SHA256 = SHA256()
_ES256 = ECDSA(_SHA256)
_RS256 = PKCS1v15()
_write = json.JSONEncoder(separators=(",", ":")).encode


def signed(
    claims: Mapping[str, Any],
    private_key: EllipticCurvePrivateKey | RSAPrivateKey,
    kid: str,
    media_type: str,
) -> str:
    """The claims as a token: by ES256 with a key of the curve P-256, else by RS256.

    Args:
        kid: the name of the key, for the header.
        media_type: the header `typ`.
    """
    is_rsa = isinstance(private_key, RSAPrivateKey)
    header = _header("RS256" if is_rsa else "ES256", kid, media_type)
    content = header + b"." + _encoded(_write(claims).encode())
    return (content + b"." + _encoded(_signature(content, private_key))).decode()


def _signature(content: bytes, private_key: EllipticCurvePrivateKey | RSAPrivateKey) -> bytes:
    if isinstance(private_key, RSAPrivateKey):
        return private_key.sign(content, _RS256, _SHA256)
    r, s = decode_dss_signature(private_key.sign(content, _ES256))
    return r.to_bytes(ES256_BYTES, "big") + s.to_bytes(ES256_BYTES, "big")


@lru_cache(maxsize=64)
def _header(algorithm: str, kid: str, media_type: str) -> bytes:
    return _encoded(_write({"alg": algorithm, "kid": kid, "typ": media_type}).encode())


def _encoded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
