"""The signing secret of a webhook, in the form that Standard Webhooks gives it."""

from __future__ import annotations

import base64
import os

from portico_kit.secrets import Secrets

PURPOSE = "webhook-secret"
PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """A new signing secret: the prefix and 256 random bits in base64."""
    return PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def seal(secrets: Secrets, secret: str) -> bytes:
    """The secret as it is stored."""
    return secrets.seal(PURPOSE, secret.encode())


def unseal(secrets: Secrets, sealed: bytes) -> str:
    """The secret again, for the worker that signs with it."""
    return secrets.unseal(PURPOSE, sealed).decode()
