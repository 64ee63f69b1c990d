"""What the mails say. Each is written once and shown as plain text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from string import Template as Text
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Template:
    """A mail with gaps ("$token") that its variables fill.

    Attributes:
        paragraphs: what stands above the link.
        action: what the link does.
        path: where it leads, below the public address; the token is added.
        notes: what stands below.
    """

    subject: str
    paragraphs: tuple[str, ...]
    action: str
    path: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as it is read."""

    subject: str
    text: str
    html: str


TEMPLATES: Mapping[str, Template] = {
    "verify_email": Template(
        subject="Confirm your address",
        paragraphs=("Hello $display_name,", "please confirm that this address is yours."),
        action="Confirm the address",
        path="/verify-email",
        notes=("If you did not register, nothing needs to be done.",),
    ),
    "reset_password": Template(
        subject="Choose a new password",
        paragraphs=("Hello $display_name,", "somebody asked for a new password for your account."),
        action="Choose a new password",
        path="/reset-password",
        notes=("If it was not you, your password stays as it is.",),
    ),
    "choose_password": Template(
        subject="Your account is ready",
        paragraphs=("Hello $display_name,", "an account was made for you. Choose its password."),
        action="Choose a password",
        path="/reset-password",
        notes=("If you did not expect this, nothing needs to be done.",),
    ),
    "invitation": Template(
        subject="Invitation to $organization_name",
        paragraphs=(
            "Hello,",
            "$inviter_name invites you to the organization $organization_name, as $role.",
        ),
        action="Accept the invitation",
        path="/invitations/accept",
        notes=("If you do not know them, nothing needs to be done.",),
    ),
}

ABOUT_THE_LINK = "The link works once. The token that it carries is:"


def render(name: str, variables: Mapping[str, str], public_url: str) -> Rendered:
    """Fills in a mail.

    Args:
        name: which one, a key of `TEMPLATES`.
        variables: what fills the gaps; `token` in any case.
        public_url: where the links lead.

    Raises:
        KeyError: if there is no such mail, or a variable is missing.
    """
    template = TEMPLATES[name]
    token = variables["token"]
    link = f"{public_url.rstrip('/')}{template.path}?{urlencode({'token': token})}"
    # A header is one line, whatever a name holds.
    subject = " ".join(_fill(template.subject, variables).split())
    return Rendered(
        subject,
        _plain(template, variables, link, token),
        _html(template, {key: escape(value) for key, value in variables.items()}, escape(link)),
    )


def _fill(text: str, variables: Mapping[str, str]) -> str:
    return Text(text).substitute(variables)


def _plain(template: Template, variables: Mapping[str, str], link: str, token: str) -> str:
    above = [_fill(paragraph, variables) for paragraph in template.paragraphs]
    link_and_token = (f"{template.action}:\n{link}", f"{ABOUT_THE_LINK}\n{token}")
    return "\n\n".join([*above, *link_and_token, *template.notes]) + "\n"


def _html(template: Template, variables: Mapping[str, str], link: str) -> str:
    """Takes variables and a link that are escaped already."""
    above = [f"<p>{_fill(paragraph, variables)}</p>" for paragraph in template.paragraphs]
    below = [f"<p>{note}</p>" for note in template.notes]
    action = f'<p><a href="{link}">{template.action}</a></p>'
    token = f"<p>{ABOUT_THE_LINK}<br><code>{variables['token']}</code></p>"
    body = "\n".join([*above, action, token, *below])
    return f'<!doctype html>\n<html lang="en"><body>\n{body}\n</body></html>\n'
