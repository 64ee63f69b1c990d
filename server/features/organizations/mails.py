"""The mails of the feature."""

from __future__ import annotations

from server.common.mail import Link, Mail

INVITATION = Mail(
    name="invitation",
    subject="Invitation to $organization_name",
    paragraphs=(
        "Hello,",
        "you are invited by $inviter_name to join $organization_name, as $role.",
    ),
    link=Link("Accept the invitation", "/invitations/accept"),
    notes=("If you do not know them, nothing needs to be done.",),
)
OWNER_APPOINTED = Mail(
    name="owner_appointed",
    subject="A new owner of $organization_name",
    paragraphs=(
        "Hello $display_name,",
        "no owner of the organization $organization_name could act any more, so an"
        " administrator of the platform made $owner_name its owner.",
    ),
)

FACTOR_REQUIRED_OF_YOU = Mail(
    name="factor_required_of_you",
    subject="$organization_name requires a second factor of you",
    paragraphs=(
        "Hello $display_name,",
        "the organization $organization_name requires a second factor of you from now on. If your"
        " account has none, add one in your account: without it you cannot use the organization.",
    ),
)
PASSKEY_REQUIRED_OF_YOU = Mail(
    name="passkey_required_of_you",
    subject="$organization_name requires a passkey of you",
    paragraphs=(
        "Hello $display_name,",
        "the organization $organization_name requires a passkey of you from now on. If your"
        " account has none, add one in your account: without it you cannot use the organization.",
    ),
)
FACTOR_NEEDED = Mail(
    name="factor_needed",
    subject="$organization_name requires a second factor",
    paragraphs=(
        "Hello $display_name,",
        "from $required_from on, the organization $organization_name requires a second factor of"
        " you, and your account has none. Add one in your account: without it you cannot use the"
        " organization after that.",
    ),
)
PASSKEY_NEEDED = Mail(
    name="passkey_needed",
    subject="$organization_name requires a passkey",
    paragraphs=(
        "Hello $display_name,",
        "from $required_from on, the organization $organization_name requires that you sign in"
        " with a passkey. If your account has none, add one: without it you cannot use the"
        " organization after that.",
    ),
)
FACTOR_NEEDED_SOON = Mail(
    name="factor_needed_soon",
    subject="Your access to $organization_name ends without a second factor",
    paragraphs=(
        "Hello $display_name,",
        "from $required_from on, the organization $organization_name can only be used with the"
        " second factor that it requires. Look in your account whether you have one.",
    ),
)

MAILS = (
    INVITATION,
    OWNER_APPOINTED,
    FACTOR_NEEDED,
    PASSKEY_NEEDED,
    FACTOR_NEEDED_SOON,
    FACTOR_REQUIRED_OF_YOU,
    PASSKEY_REQUIRED_OF_YOU,
)
