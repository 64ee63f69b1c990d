"""The mails of the feature."""

from __future__ import annotations

from server.common.mail import Mail

KEYS_IMPORTED = Mail(
    name="keys_imported",
    subject="API keys were imported into $organization_name",
    paragraphs=(
        "Hello $display_name,",
        "the organization $organization_name has new API keys: an administrator of the"
        " platform imported $key_count of them.",
        "If you did not expect this, revoke the keys and turn allowKeyImport off.",
    ),
)

MAILS = (KEYS_IMPORTED,)
