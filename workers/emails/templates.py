"""What the mails say. Each is written once and shown as plain text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from string import Template as Text
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Link:
    """What a mail asks its reader to follow; the variable `token` is added to it.

    Attributes:
        action: what it does.
        path: where it leads, below the public address.
    """

    action: str
    path: str


@dataclass(frozen=True, slots=True)
class Template:
    """A mail with gaps ("$display_name") that its variables fill.

    Attributes:
        paragraphs: the text above the link.
        link: None for a notice, which asks for nothing.
        notes: the text below the link.
    """

    subject: str
    paragraphs: tuple[str, ...]
    link: Link | None = None
    notes: tuple[str, ...] = ()


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
        link=Link("Confirm the address", "/verify-email"),
        notes=("If you did not register, nothing needs to be done.",),
    ),
    "reset_password": Template(
        subject="Choose a new password",
        paragraphs=("Hello $display_name,", "somebody asked for a new password for your account."),
        link=Link("Choose a new password", "/reset-password"),
        notes=("If it was not you, your password stays as it is.",),
    ),
    "choose_password": Template(
        subject="Your account is ready",
        paragraphs=("Hello $display_name,", "an account was made for you. Choose its password."),
        link=Link("Choose a password", "/reset-password"),
        notes=("If you did not expect this, nothing needs to be done.",),
    ),
    "invitation": Template(
        subject="Invitation to $organization_name",
        paragraphs=(
            "Hello,",
            "$inviter_name invites you to the organization $organization_name, as $role.",
        ),
        link=Link("Accept the invitation", "/invitations/accept"),
        notes=("If you do not know them, nothing needs to be done.",),
    ),
    "webhook_disabled": Template(
        subject="A webhook was disabled",
        paragraphs=(
            "Hello $display_name,",
            "the receiver of a webhook of your organization answered that it is gone (HTTP 410). "
            "The webhook is disabled; its pending deliveries wait for up to 30 days.",
            "Webhook: $webhook_id\nReceiver: $webhook_url",
        ),
        notes=("If the receiver is there again, enable the webhook.",),
    ),
}

ABOUT_THE_LINK = "The link works once. The token that it carries is:"


def render(name: str, variables: Mapping[str, str], public_url: str) -> Rendered:
    """Fills in a mail.

    Args:
        name: which one, a key of `TEMPLATES`.
        variables: what fills the gaps; with a link, `token` too.
        public_url: where the links lead.

    Raises:
        KeyError: if there is no such mail, or a variable is missing.
    """
    template = TEMPLATES[name]
    # A header is one line, whatever a name holds.
    subject = " ".join(_fill(template.subject, variables).split())
    return Rendered(
        subject,
        _plain(template, variables, public_url),
        _html(template, variables, public_url),
    )


def _fill(text: str, variables: Mapping[str, str]) -> str:
    return Text(text).substitute(variables)


def _url(link: Link, token: str, public_url: str) -> str:
    return f"{public_url.rstrip('/')}{link.path}?{urlencode({'token': token})}"


def _plain(template: Template, variables: Mapping[str, str], public_url: str) -> str:
    parts = [_fill(paragraph, variables) for paragraph in template.paragraphs]
    if template.link is not None:
        token = variables["token"]
        url = _url(template.link, token, public_url)
        parts += [f"{template.link.action}:\n{url}", f"{ABOUT_THE_LINK}\n{token}"]
    return "\n\n".join([*parts, *template.notes]) + "\n"


def _html(template: Template, variables: Mapping[str, str], public_url: str) -> str:
    escaped = {key: escape(value) for key, value in variables.items()}
    parts = [f"<p>{_fill(paragraph, escaped)}</p>" for paragraph in template.paragraphs]
    if template.link is not None:
        url = escape(_url(template.link, variables["token"], public_url))
        parts.append(f'<p><a href="{url}">{template.link.action}</a></p>')
        parts.append(f"<p>{ABOUT_THE_LINK}<br><code>{escaped['token']}</code></p>")
    parts += [f"<p>{note}</p>" for note in template.notes]
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><body>\n{body}\n</body></html>\n'
