"""The mails of the feature."""

from __future__ import annotations

from server.common.mail import Link, Mail

CHOOSE_PASSWORD = Mail(
    name="choose_password",
    subject="Your account is ready",
    paragraphs=("Hello $display_name,", "an account was made for you. Choose its password."),
    link=Link("Choose a password", "/reset-password"),
    notes=("If you did not expect this, nothing needs to be done.",),
)
PASSWORD_CHANGED = Mail(
    name="password_changed",
    subject="Your password was changed",
    paragraphs=(
        "Hello $display_name,",
        "a new password was set for your account on $changed_at, from $client_address.",
        "Other sessions have ended, and links that were mailed before no longer work.",
        'If it was not you, choose a new password at once, with "forgot password".',
    ),
)

ACCOUNT_DELETED = Mail(
    name="account_deleted",
    subject="Your account was deleted",
    paragraphs=(
        "Hello $display_name,",
        "your account was deleted on $changed_at, from $client_address, with its password.",
        "All sessions have ended, and you are no longer a member of any organization.",
        "If it was not you, write to whoever runs this platform.",
    ),
)

MAILS = (CHOOSE_PASSWORD, PASSWORD_CHANGED, ACCOUNT_DELETED)
