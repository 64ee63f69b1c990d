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

WEBHOOK_FAILING = Mail(
    name="webhook_failing",
    subject="A webhook is failing",
    paragraphs=(
        "Hello $display_name,",
        "a webhook of your organization has accepted nothing since $failing_since. "
        "If that goes on, it is disabled, on $disables_at at the earliest.",
        "Webhook: $webhook_id\nReceiver: $webhook_url\nPurpose: $webhook_description\n"
        "Last response: $last_response",
    ),
    notes=("Once it accepts an event again, there is nothing else to do.",),
)
WEBHOOK_DISABLED_FAILING = Mail(
    name="webhook_disabled_failing",
    subject="A webhook was disabled because it kept failing",
    paragraphs=(
        "Hello $display_name,",
        "a webhook of your organization has accepted nothing since $failing_since. "
        "It is disabled; its pending deliveries wait for up to 30 days.",
        "Webhook: $webhook_id\nReceiver: $webhook_url\nPurpose: $webhook_description\n"
        "Last response: $last_response",
    ),
    notes=("When the receiver is there again, enable the webhook.",),
)

MAILS = (WEBHOOK_DISABLED, WEBHOOK_FAILING, WEBHOOK_DISABLED_FAILING)
