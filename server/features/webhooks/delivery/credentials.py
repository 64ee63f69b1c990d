"""What the deliveries of a webhook are signed with, and the headers of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portico_kit.secrets import Secrets
from server.features.webhooks import custom_headers, secret, signing_keys
from server.features.webhooks.delivery.signature import signed_headers
from server.features.webhooks.delivery.unsealed import Unsealed
from server.features.webhooks.delivery_queue import AttemptResult, Claim
from server.features.webhooks.delivery_settings import DeliverySettings
from server.features.webhooks.signing_keys import V1, V1A

REDACTED = "[redacted]"
# A text that is shorter is no secret, and its like may occur anywhere.
SHORTEST_REDACTED = 4


class Credentials:
    """Makes the headers of deliveries, from what is sealed in their webhooks."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = Unsealed(partial(secret.unseal, secrets))
        self._keys = Unsealed(partial(signing_keys.unseal, secrets))
        self._headers = Unsealed(partial(custom_headers.unseal, secrets))

    def headers(self, claim: Claim, now: datetime, body: bytes) -> Mapping[str, str]:
        """The headers of one attempt.

        Raises:
            Exception: what unsealing raises.
        """
        settings = claim.settings
        signed = signed_headers(
            self._signing_secrets(claim, now) if settings.signing != V1A else (),
            str(claim.delivery_id),
            now,
            body,
            keys=self._signing_keys(settings, now) if settings.signing != V1 else (),
        )
        sealed = settings.sealed_headers
        return signed if sealed is None else {**self._headers.get(sealed), **signed}

    def redact(self, claim: Claim, result: AttemptResult) -> AttemptResult:
        """What came of an attempt, without the values of the webhook's headers.

        A receiver that shows what it was sent, as many do with their errors, must not show
        them to those who may read deliveries.
        """
        sealed = claim.settings.sealed_headers
        if sealed is None or not result.response_body:
            return result
        text = redacted(result.response_body, self._headers.get(sealed))
        return replace(result, response_body=text)

    def _signing_secrets(self, claim: Claim, now: datetime) -> list[str]:
        """The secrets to sign with, the newest first."""
        secrets = [self._secrets.get(claim.sealed_secret)]
        expires_at = claim.previous_secret_expires_at
        if claim.sealed_previous_secret and expires_at is not None and now < expires_at:
            secrets.append(self._secrets.get(claim.sealed_previous_secret))
        return secrets

    def _signing_keys(self, settings: DeliverySettings, now: datetime) -> list[Ed25519PrivateKey]:
        """The private keys to sign with, the newest first."""
        current, previous = settings.sealed_private_key, settings.sealed_previous_private_key
        keys = [] if current is None else [current]
        expires_at = settings.previous_key_expires_at
        if previous is not None and expires_at is not None and now < expires_at:
            keys.append(previous)
        return [self._keys.get(sealed) for sealed in keys]


def redacted(text: str, headers: Mapping[str, str]) -> str:
    """A text without the values of headers, nor the credential that follows a scheme.

    The text may be cut off: the beginning of a value at its end is taken out, too.
    """
    values = {part for value in headers.values() for part in (value, value.partition(" ")[2])}
    # As JSON shows them, too.
    values |= {json.dumps(value)[1:-1] for value in values}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= SHORTEST_REDACTED:
            text = _without_beginning(text.replace(value, REDACTED), value)
    return text


def _without_beginning(text: str, value: str) -> str:
    for length in range(len(value) - 1, SHORTEST_REDACTED - 1, -1):
        if text.endswith(value[:length]):
            return text[:-length] + REDACTED
    return text
