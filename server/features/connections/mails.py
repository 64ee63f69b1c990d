"""The mails of the feature."""

from __future__ import annotations

from server.common.mail import Mail

IDENTITY_LINKED = Mail(
    name="identity_linked",
    subject="A new way to sign in to your account",
    paragraphs=(
        "Hello $display_name,",
        "an account at $provider_name was linked to yours on $changed_at, from $client_address. "
        "Whoever signs in there is signed in here.",
        "If it was not you, unlink it among your sign-in methods, and choose a new password.",
    ),
)
IDENTITY_UNLINKED = Mail(
    name="identity_unlinked",
    subject="A way to sign in to your account was removed",
    paragraphs=(
        "Hello $display_name,",
        "an account at $provider_name is no longer linked to yours, since $changed_at, from "
        "$client_address.",
        'If it was not you, choose a new password at once, with "forgot password".',
    ),
)
ACCOUNT_CLAIMED = Mail(
    name="account_claimed",
    subject="Your account is ready",
    paragraphs=(
        "Hello $display_name,",
        "you signed in with $provider_name on $changed_at, from $client_address. An account with "
        "your address was there, which nobody had confirmed: it is yours now.",
        "A password that somebody else may have set for it no longer works.",
    ),
)
REGISTRATION_EXPIRES = Mail(
    name="registration_expires",
    subject="A connection for sign-in expires",
    paragraphs=(
        "Hello $display_name,",
        'the provider of the connection "$connection_name" gave your organization a secret until '
        "$expires_at, and gives no other one.",
        "Make a new connection with the same issuer in time; people keep their accounts. After "
        "that nobody can sign in with this one.",
    ),
)

MAILS = (IDENTITY_LINKED, IDENTITY_UNLINKED, ACCOUNT_CLAIMED, REGISTRATION_EXPIRES)
