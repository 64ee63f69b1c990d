"""The mails of the feature."""

from __future__ import annotations

from server.common.mail import Mail

APPLICATION_TOKEN_REUSED = Mail(
    name="application_token_reused",
    subject="An application was signed out of your account",
    paragraphs=(
        "Hello $display_name,",
        "on $ended_at a token that the application $application_name had for your account was "
        "used for the second time, from $client_address. Somebody may have copied it, so the "
        "application has been signed out.",
        "Sign in from the application again to go on.",
        "If you do not know the application, remove it on the page of your account.",
    ),
)

MAILS = (APPLICATION_TOKEN_REUSED,)
