"""The key pair that a webhook signs with (Ed25519), in the forms that receivers know."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portico_kit.secrets import Secrets

PURPOSE = "webhook-signing-key"
PUBLIC_PREFIX = "whpk_"

# How deliveries are signed: with the secret, with the key, or with both.
V1 = "v1"
V1A = "v1a"
BOTH = "both"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key pair as a row holds it.

    Attributes:
        sealed: the private key, sealed.
        public: the public key, 32 bytes.
    """

    sealed: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """The public keys of a webhook.

    Attributes:
        current: None if it has none.
        previous: from before the last rotation; None if there was none.
        previous_expires_at: until when deliveries are signed with the previous one, too.
    """

    webhook_id: UUID
    current: bytes | None
    previous: bytes | None
    previous_expires_at: datetime | None

    def overlap(self, now: datetime) -> bytes | None:
        """The previous key, if deliveries are still signed with it."""
        expires_at = self.previous_expires_at
        return self.previous if expires_at is not None and now < expires_at else None


def new_key_pair(secrets: Secrets) -> KeyPair:
    """A new key pair."""
    private = Ed25519PrivateKey.generate()
    sealed = secrets.seal(PURPOSE, private.private_bytes_raw())
    return KeyPair(sealed, private.public_key().public_bytes_raw())


def unseal(secrets: Secrets, sealed: bytes) -> Ed25519PrivateKey:
    """The private key again, for the worker that signs with it."""
    return Ed25519PrivateKey.from_private_bytes(secrets.unseal(PURPOSE, sealed))


def shown(public: bytes | None) -> str:
    """A public key in the form of Standard Webhooks; empty if there is none."""
    return PUBLIC_PREFIX + base64.b64encode(public).decode() if public else ""


def jwk(webhook_id: UUID, public: bytes) -> Mapping[str, str]:
    """A public key as a JSON Web Key (RFC 8037, section 2).

    The key ID begins with the webhook's, so that a receiver finds the keys of its own
    webhook also after a rotation, and takes no delivery that another one signed.
    """
    x = _base64url(public)
    # RFC 7638, section 3: the required members in this order.
    required = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    thumbprint = _base64url(hashlib.sha256(required.encode()).digest())
    return {
        "kty": "OKP",
        "use": "sig",
        "alg": "EdDSA",
        "kid": f"{webhook_id}.{thumbprint}",
        "crv": "Ed25519",
        "x": x,
    }


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
