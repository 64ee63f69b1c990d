"""The mails of the feature."""

from __future__ import annotations

from server.common.mail import Link, Mail

FACTOR_RESET_REQUESTED = Mail(
    name="factor_reset_requested",
    subject="Your second factors are about to be removed",
    paragraphs=(
        "Hello $display_name,",
        "an administrator of the platform has requested that all second factors of your account"
        " be removed. It happens at $due_at, or before if a second administrator agrees. All of"
        " your sessions end then, and the password is enough to sign in.",
    ),
    link=Link("I did not ask for it: cancel this", "/cancel-factor-reset"),
    notes=("If you asked for it, nothing needs to be done.",),
)
FACTORS_RESET = Mail(
    name="factors_reset",
    subject="The second factors of your account were removed",
    paragraphs=(
        "Hello $display_name,",
        "administrators of the platform removed all second factors, recovery codes and"
        " remembered devices of your account, and ended its sessions.",
        "Sign in with your password and add a second factor again. If you did not ask for it,"
        " choose a new password at once, and tell the operator of the platform.",
    ),
)
FACTOR_RESET_CANCELED = Mail(
    name="factor_reset_canceled",
    subject="Your second factors stay",
    paragraphs=(
        "Hello $display_name,",
        "the request to remove all second factors of your account was canceled. Nothing of it"
        " has changed.",
    ),
)

MAILS = (FACTOR_RESET_REQUESTED, FACTORS_RESET, FACTOR_RESET_CANCELED)
