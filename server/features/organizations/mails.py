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

MAILS = (INVITATION, OWNER_APPOINTED)
