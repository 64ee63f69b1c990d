"""The mails of the feature."""

from __future__ import annotations

from server.common.mail import Mail

_NOT_ME = (
    "If it was not you, choose a new password at once, and look at the factors of your account."
)

FACTOR_ADDED = Mail(
    name="factor_added",
    subject="A second factor was added to your account",
    paragraphs=(
        "Hello $display_name,",
        "a second factor was added to your account on $changed_at, from $client_address: "
        "$factor_name. You can be asked for it at a sign-in from now on.",
        _NOT_ME,
    ),
)
FACTOR_REMOVED = Mail(
    name="factor_removed",
    subject="A second factor was removed from your account",
    paragraphs=(
        "Hello $display_name,",
        "a second factor was removed from your account on $changed_at, from $client_address: "
        "$factor_name.",
        _NOT_ME,
    ),
)
LAST_FACTOR_REMOVED = Mail(
    name="last_factor_removed",
    subject="Your account has no second factor any more",
    paragraphs=(
        "Hello $display_name,",
        "the last second factor of your account was removed on $changed_at, from "
        "$client_address: $factor_name. The password is enough to sign in from now on.",
        _NOT_ME,
    ),
)
RECOVERY_CODE_USED = Mail(
    name="recovery_code_used",
    subject="A recovery code of your account was used",
    paragraphs=(
        "Hello $display_name,",
        "a recovery code of your account was used on $changed_at, from $client_address.",
        "Recovery codes left: $codes_left. New ones can be made in your account.",
        _NOT_ME,
    ),
)
RECOVERY_CODES_CREATED = Mail(
    name="recovery_codes_created",
    subject="Your account has new recovery codes",
    paragraphs=(
        "Hello $display_name,",
        "new recovery codes were made for your account on $changed_at, from $client_address. "
        "Those from before are void.",
        _NOT_ME,
    ),
)

MAILS = (
    FACTOR_ADDED,
    FACTOR_REMOVED,
    LAST_FACTOR_REMOVED,
    RECOVERY_CODE_USED,
    RECOVERY_CODES_CREATED,
)
