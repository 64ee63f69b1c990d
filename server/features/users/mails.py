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

SIGN_IN_BLOCKED = Mail(
    name="sign_in_blocked",
    subject="Too many wrong sign-ins to your account",
    paragraphs=(
        "Hello $display_name,",
        "somebody tried to sign in to your account too often with what was wrong, the last time "
        "on $blocked_at, from $client_address. Nobody got in by that.",
        "For now, further attempts are refused. Where you have signed in before you stay signed "
        "in, and such a device can sign in as well.",
        "If it was you, wait a quarter of an hour. If it was not you, nothing needs to be done, "
        "if your password is long and used for nothing else; else choose a new one, with "
        '"forgot password".',
    ),
)

MAILS = (CHOOSE_PASSWORD, PASSWORD_CHANGED, ACCOUNT_DELETED, SIGN_IN_BLOCKED)
