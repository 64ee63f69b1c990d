"""How a mail is rendered: written once by its feature, shown as plain text and as HTML.

The texts are ours. What fills their gaps is a caller's, and goes through `quoting`,
whatever the mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from string import Template as Text
from urllib.parse import urlencode

from server.common.mail import Link, Mail
from server.features.emails.quoting import quote_address, quote_name, quote_text


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as it is read."""

    subject: str
    text: str
    html: str


TOKEN = "token"  # noqa: S105 (the name of a variable)
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
ONCE = "The link works once. The token that it carries is:"
AGAIN = "The token that the link carries is:"


def render(mail: Mail, variables: Mapping[str, str], public_url: str) -> Rendered:
    """Fills in a mail.

    Args:
        variables: what fills the gaps; with a link, `token` too.
        public_url: where the links lead.

    Raises:
        KeyError: if a variable is missing.
        ValueError: if the token is none of ours.
    """
    link = "" if mail.link is None else _url(mail.link, variables[TOKEN], public_url)
    quoted = {key: _quoted(key, value) for key, value in variables.items() if key != TOKEN}
    token = variables[TOKEN] if link else ""
    return Rendered(
        _fill(mail.subject, quoted),
        _plain(mail, quoted, link, token),
        _html(mail, quoted, link, token),
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


def _about(link: Link) -> str:
    return ONCE if link.once else AGAIN


def _plain(mail: Mail, variables: Mapping[str, str], url: str, token: str) -> str:
    parts = [_fill(paragraph, variables) for paragraph in mail.paragraphs]
    if mail.link is not None:
        parts += [f"{mail.link.action}:\n{url}", f"{_about(mail.link)}\n{token}"]
    parts += [_fill(note, variables) for note in mail.notes]
    return "\n\n".join(parts) + "\n"


def _html(mail: Mail, variables: Mapping[str, str], url: str, token: str) -> str:
    # Isolated, so that a name in a script that runs from right to left turns nothing else.
    escaped = {key: f"<bdi>{escape(value)}</bdi>" for key, value in variables.items()}
    parts = [f"<p>{_fill(paragraph, escaped)}</p>" for paragraph in mail.paragraphs]
    if mail.link is not None:
        parts.append(f'<p><a href="{escape(url)}">{mail.link.action}</a></p>')
        parts.append(f"<p>{_about(mail.link)}<br><code>{token}</code></p>")
    parts += [f"<p>{_fill(note, escaped)}</p>" for note in mail.notes]
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><body>\n{body}\n</body></html>\n'
