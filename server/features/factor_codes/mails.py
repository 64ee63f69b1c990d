"""The mails of the feature."""

from __future__ import annotations

from server.common.mail import Mail

_NEVER = "Give the code to nobody, whoever asks: it is typed in on our pages only."

ENROLLMENT_CODE = Mail(
    name="enrollment_code",
    subject="Your code to set up codes by mail",
    paragraphs=(
        "Hello $display_name,",
        "codes by mail are about to be set up for your account. Your code is $code. It is good "
        "for $valid_for, and once.",
        "It was asked for on $changed_at, from $client_address.",
        "If it was not you, somebody is signed in to your account: choose a new password at "
        "once, and end the sessions that you do not know.",
        _NEVER,
    ),
)
CHALLENGE_CODE = Mail(
    name="challenge_code",
    subject="Your code to confirm that it is you",
    paragraphs=(
        "Hello $display_name,",
        "your code is $code. It is good for $valid_for, and once.",
        "It was asked for on $changed_at, from $client_address.",
        "If it was not you, somebody knows your password: choose a new one at once.",
        _NEVER,
    ),
)

MAILS = (ENROLLMENT_CODE, CHALLENGE_CODE)
