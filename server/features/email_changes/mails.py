"""The mails of the feature."""

from __future__ import annotations

from server.common.mail import Link, Mail

CONFIRM_EMAIL_CHANGE = Mail(
    name="confirm_email_change",
    subject="Confirm your new address",
    paragraphs=(
        "Hello $display_name,",
        "please confirm that you want to sign in with this address from now on.",
    ),
    link=Link("Confirm the new address", "/confirm-email-change"),
    notes=(
        "The link is valid for 24 hours.",
        "If you did not ask for this, do not follow the link; nothing needs to be done.",
    ),
)
# Without a greeting: whose the address is has nothing to do with who asked.
EMAIL_CHANGE_ATTEMPTED = Mail(
    name="email_change_attempted",
    subject="Somebody asked to use your address",
    paragraphs=(
        "Hello,",
        "somebody asked to use this address for another account. It has an account already, so"
        " nothing was changed.",
        "If it was you, sign in to the account that has this address. Otherwise, nothing needs"
        " to be done.",
    ),
)
EMAIL_CHANGED = Mail(
    name="email_changed",
    subject="The address of your account was changed",
    paragraphs=(
        "Hello $display_name,",
        "on $changed_at, from $client_address, the address of your account was changed to"
        " $new_address. You sign in with the new address from now on. Your sessions have not"
        " ended; links that were mailed before no longer work.",
        "If it was not you, take the change back. This address gets the account again, all"
        " sessions end, and you choose a new password.",
    ),
    link=Link("Take the change back", "/revert-email-change"),
    notes=("The link is valid for 7 days, whatever is done with the account meanwhile.",),
)
EMAIL_CHANGE_REVERTED = Mail(
    name="email_change_reverted",
    subject="Your account has its old address again",
    paragraphs=(
        "Hello $display_name,",
        "the change of your address was taken back. All sessions have ended, and the password"
        " was removed. So were second factors that were added since the change was asked for."
        " Choose a new password.",
    ),
    link=Link("Choose a new password", "/reset-password"),
    notes=(
        'The link is valid for 1 hour. After that, "forgot password" sends another one.',
        "Look at what was done with your account meanwhile.",
    ),
)

MAILS = (CONFIRM_EMAIL_CHANGE, EMAIL_CHANGE_ATTEMPTED, EMAIL_CHANGED, EMAIL_CHANGE_REVERTED)
