"""The headers that prove to a receiver who sent a delivery (Standard Webhooks 1.0)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime

from server.webhooks.secret import PREFIX


def signed_headers(secret: str, message_id: str, sent_at: datetime, body: bytes) -> dict[str, str]:
    """The headers for one attempt.

    Args:
        secret: the webhook's secret, "whsec_" and base64.
        message_id: the same for every attempt, so that a receiver can tell a repetition.
        sent_at: when this attempt is made; a receiver refuses an old one.
        body: the bytes that are posted.
    """
    timestamp = str(int(sent_at.timestamp()))
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }
