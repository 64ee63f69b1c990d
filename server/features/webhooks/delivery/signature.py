"""The headers that prove to a receiver who sent a delivery (Standard Webhooks 1.0)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime

from server.features.webhooks.secret import PREFIX


def signed_headers(
    secrets: Sequence[str], message_id: str, sent_at: datetime, body: bytes
) -> dict[str, str]:
    """The headers for one attempt.

    Args:
        secrets: the webhook's secrets, each "whsec_" and base64: one signature for each,
            so that a receiver that knows any of them can verify the delivery.
        message_id: the same for every attempt, so that a receiver can tell a repetition.
        sent_at: when this attempt is made; a receiver refuses an old one.
        body: the bytes that are posted.
    """
    timestamp = str(int(sent_at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
