"""The headers that prove to a receiver who sent a delivery (Standard Webhooks 1.0)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.features.webhooks.secret import PREFIX


def signed_headers(
    secrets: Sequence[str],
    message_id: str,
    sent_at: datetime,
    body: bytes,
    *,
    keys: Sequence[Ed25519PrivateKey] = (),
) -> dict[str, str]:
    """The headers for one attempt.

    Args:
        secrets: the webhook's secrets, each "whsec_" and base64: one signature for each,
            so that a receiver that knows any of them can verify the delivery.
        message_id: the same for every attempt, so that a receiver can tell a repetition.
        sent_at: when this attempt is made; a receiver refuses an old one.
        body: the bytes that are posted.
        keys: the webhook's private keys; one signature for each.
    """
    timestamp = str(int(sent_at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [_v1(secret, signed) for secret in secrets]
    signatures.extend(_v1a(key, signed) for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def _v1(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def _v1a(key: Ed25519PrivateKey, signed: bytes) -> str:
    return "v1a," + base64.b64encode(key.sign(signed)).decode()
