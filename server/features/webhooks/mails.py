"""The mails of the feature."""

from __future__ import annotations

from server.common.mail import Mail

WEBHOOK_DISABLED = Mail(
    name="webhook_disabled",
    subject="A webhook was disabled",
    paragraphs=(
        "Hello $display_name,",
        "the receiver of a webhook of your organization answered that it is gone (HTTP 410). "
        "The webhook is disabled; its pending deliveries wait for up to 30 days.",
        "Webhook: $webhook_id\nReceiver: $webhook_url",
    ),
    notes=("If the receiver is there again, enable the webhook.",),
)

MAILS = (WEBHOOK_DISABLED,)
