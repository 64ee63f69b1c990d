"""What the mails say. Each is written once and shown as plain text and as HTML.

The texts here are ours. What fills their gaps is a caller's, and goes through `quoting`,
whatever the template: a new one has nothing to do for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from string import Template as Text
from urllib.parse import urlencode

from server.features.emails.quoting import quote_address, quote_name, quote_text


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
    """A mail with gaps ("$display_name") that its variables fill; none begins a line.

    A variable that ends in "_name" is a name; one that reads as an address of any
    kind is not shown, see `quoting.quote_name`.

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
            "you are invited by $inviter_name to join $organization_name, as $role.",
        ),
        link=Link("Accept the invitation", "/invitations/accept"),
        notes=("If you do not know them, nothing needs to be done.",),
    ),
    "keys_imported": Template(
        subject="API keys were imported into $organization_name",
        paragraphs=(
            "Hello $display_name,",
            "the organization $organization_name has new API keys: an administrator of the"
            " platform imported $key_count of them.",
            "If you did not expect this, revoke the keys and turn allowKeyImport off.",
        ),
    ),
    "owner_appointed": Template(
        subject="A new owner of $organization_name",
        paragraphs=(
            "Hello $display_name,",
            "no owner of the organization $organization_name could act any more, so an"
            " administrator of the platform made $owner_name its owner.",
        ),
    ),
    "password_changed": Template(
        subject="Your password was changed",
        paragraphs=(
            "Hello $display_name,",
            "a new password was set for your account on $changed_at, from $client_address.",
            "Other sessions have ended, and links that were mailed before no longer work.",
            'If it was not you, choose a new password at once, with "forgot password".',
        ),
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

TOKEN = "token"  # noqa: S105 (the name of a variable)
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
ABOUT_THE_LINK = "The link works once. The token that it carries is:"


def render(name: str, variables: Mapping[str, str], public_url: str) -> Rendered:
    """Fills in a mail.

    Args:
        name: which one, a key of `TEMPLATES`.
        variables: what fills the gaps; with a link, `token` too.
        public_url: where the links lead.

    Raises:
        KeyError: if there is no such mail, or a variable is missing.
        ValueError: if the token is none of ours.
    """
    template = TEMPLATES[name]
    link = "" if template.link is None else _url(template.link, variables[TOKEN], public_url)
    quoted = {key: _quoted(key, value) for key, value in variables.items() if key != TOKEN}
    token = variables[TOKEN] if link else ""
    return Rendered(
        _fill(template.subject, quoted),
        _plain(template, quoted, link, token),
        _html(template, quoted, link, token),
    )


def _quoted(variable: str, value: str) -> str:
    if variable.endswith("_name"):
        return quote_name(variable, value)
    return quote_address(value) if variable.endswith("_address") else quote_text(value)


def _fill(text: str, variables: Mapping[str, str]) -> str:
    return Text(text).substitute(variables)


def _url(link: Link, token: str, public_url: str) -> str:
    if _TOKEN.fullmatch(token) is None:
        raise ValueError("the token is none of ours")
    return f"{public_url.rstrip('/')}{link.path}?{urlencode({TOKEN: token})}"


def _plain(template: Template, variables: Mapping[str, str], url: str, token: str) -> str:
    parts = [_fill(paragraph, variables) for paragraph in template.paragraphs]
    if template.link is not None:
        parts += [f"{template.link.action}:\n{url}", f"{ABOUT_THE_LINK}\n{token}"]
    parts += [_fill(note, variables) for note in template.notes]
    return "\n\n".join(parts) + "\n"


def _html(template: Template, variables: Mapping[str, str], url: str, token: str) -> str:
    # Isolated, so that a name in a script that runs from right to left turns nothing else.
    escaped = {key: f"<bdi>{escape(value)}</bdi>" for key, value in variables.items()}
    parts = [f"<p>{_fill(paragraph, escaped)}</p>" for paragraph in template.paragraphs]
    if template.link is not None:
        parts.append(f'<p><a href="{escape(url)}">{template.link.action}</a></p>')
        parts.append(f"<p>{ABOUT_THE_LINK}<br><code>{token}</code></p>")
    parts += [f"<p>{_fill(note, escaped)}</p>" for note in template.notes]
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><body>\n{body}\n</body></html>\n'
