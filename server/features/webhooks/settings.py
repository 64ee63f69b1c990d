"""What a request says of a webhook's settings: schedule, time-out, headers and signatures."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from portico.webhooks.v1 import webhook_service_pb2 as pb

from portico_kit.errors import invalid
from portico_kit.secrets import Secrets
from server.features.webhooks import custom_headers
from server.features.webhooks.models import Webhook
from server.features.webhooks.signing_keys import V1, new_key_pair

Request = pb.CreateWebhookRequest | pb.UpdateWebhookRequest

_SCHEDULE = {"retry_schedule", "retry_pauses_seconds"}


@dataclass(frozen=True, slots=True)
class Settings:
    """Applies settings to webhooks."""

    secrets: Secrets

    def apply(self, request: Request, changed: Collection[str], webhook: Webhook) -> None:
        """Changes the settings that a request names.

        Args:
            changed: the names of the fields that it sets or clears.

        Raises:
            InvalidRequestError: naming the field that breaks a rule.
        """
        if _SCHEDULE.intersection(changed):
            _apply_schedule(request, changed, webhook)
        if "timeout_seconds" in changed:
            webhook.timeout_seconds = request.timeout_seconds
        if "headers" in changed:
            self._replace_headers(request, webhook)
        if "signing" in changed and request.signing:
            self._sign(request.signing, webhook)

    def _replace_headers(self, request: Request, webhook: Webhook) -> None:
        # The values are never compared with those before: whoever may not read them could
        # find out by a guess.
        custom_headers.check(request.headers)
        webhook.header_names = [header.name for header in request.headers]
        webhook.sealed_headers = custom_headers.seal(self.secrets, request.headers)

    def _sign(self, signing: str, webhook: Webhook) -> None:
        webhook.signing = signing
        if signing != V1 and webhook.public_key is None:
            webhook.set_key_pair(new_key_pair(self.secrets))


def require_headers_again(webhook: Webhook, url: str, changed: Collection[str]) -> None:
    """Lets nobody move a webhook who could only have its headers sent to a place of their own.

    Whoever may change a webhook cannot read the values of its headers. What tells receivers on
    one host apart may be no more than the path, so that any other URL counts.

    Raises:
        InvalidRequestError: if the URL changes and the headers are neither given nor cleared.
    """
    if webhook.header_names and url != webhook.url and "headers" not in changed:
        raise invalid(
            "headers", "HEADERS_REQUIRED", "must be given again, or cleared, if the URL changes"
        )


def _apply_schedule(request: Request, changed: Collection[str], webhook: Webhook) -> None:
    name = request.retry_schedule if "retry_schedule" in changed else None
    pauses = request.retry_pauses_seconds if "retry_pauses_seconds" in changed else None
    schedule = webhook.schedule.changed_to(name, pauses)
    webhook.retry_schedule = schedule.name
    webhook.retry_pauses = None if schedule.stored is None else list(schedule.stored)
