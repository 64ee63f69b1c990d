"""The mails of the feature."""

from __future__ import annotations

from server.common.mail import Link, Mail

VERIFY_EMAIL = Mail(
    name="verify_email",
    subject="Confirm your address",
    paragraphs=("Hello $display_name,", "please confirm that this address is yours."),
    link=Link("Confirm the address", "/verify-email"),
    notes=("If you did not register, nothing needs to be done.",),
)
RESET_PASSWORD = Mail(
    name="reset_password",
    subject="Choose a new password",
    paragraphs=("Hello $display_name,", "somebody asked for a new password for your account."),
    link=Link("Choose a new password", "/reset-password"),
    notes=("If it was not you, your password stays as it is.",),
)

SESSION_ENDED = Mail(
    name="session_ended",
    subject="A session of yours was ended",
    paragraphs=(
        "Hello $display_name,",
        "on $ended_at a token of your session of $began_at was used for the second time, from "
        "$client_address. Somebody may have copied it, so the session has ended.",
        "Sign in again to go on. If you have signed in with the same device before, nothing else "
        "needs to be done.",
        'If you do not know the session, choose a new password, with "forgot password".',
    ),
)

NEW_SIGN_IN = Mail(
    name="new_sign_in",
    subject="New sign-in to your account",
    paragraphs=(
        "Hello $display_name,",
        "somebody signed in to your account from a device or a network that is new to us: on "
        "$signed_in_at, with $device_name, from $client_address.",
        "If it was you, nothing needs to be done.",
    ),
    link=Link("It was not me: end this session", "/report-session", once=False),
    notes=('If it was not you, choose a new password as well, with "forgot password".',),
)

MAILS = (VERIFY_EMAIL, RESET_PASSWORD, SESSION_ENDED, NEW_SIGN_IN)
