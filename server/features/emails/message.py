"""From a rendered mail to the bytes that go over the wire (RFC 5322).

Headers are written, never parsed: `email.message.EmailMessage` reads a text that
is given to it as a header and decodes the encoded words in it, line breaks and all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from email.charset import QP, Charset
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from email.utils import format_datetime, formataddr, parseaddr
from uuid import UUID

from server.common.email_addresses import is_writable
from server.features.emails.rendering import Rendered

_WIRE = compat32.clone(linesep="\r\n", max_line_length=76)
_BODY = Charset("utf-8")
_BODY.body_encoding = QP


class UnwritableAddressError(Exception):
    """No mail can be sent to the address."""


@dataclass(frozen=True, slots=True)
class Message:
    """A mail with its envelope (RFC 5321).

    Attributes:
        sender: the bare address that the envelope is from.
        recipient: the one address that the envelope is for.
        content: headers and body.
    """

    sender: str
    recipient: str = field(repr=False)
    content: bytes = field(repr=False)


def build_message(
    mail_id: UUID, sender: str, recipient: str, mail: Rendered, sent_at: datetime
) -> Message:
    """A message with the mail as plain text and as HTML.

    The same mail always has the same Message-ID, so that whoever receives one
    that is sent twice can recognize it.

    Args:
        sender: as it stands in From, "Portico <no-reply@example.com>".
        recipient: the bare address.

    Raises:
        UnwritableAddressError: if no mail can be sent to the recipient.
    """
    if not is_writable(recipient):
        raise UnwritableAddressError
    name, address = parseaddr(sender)
    message = MIMEMultipart("alternative")
    message["Subject"] = _unstructured(mail.subject)  # type: ignore[assignment]  # typed as str
    message["From"] = formataddr((name, address))
    message["To"] = recipient
    message["Date"] = format_datetime(sent_at)
    message["Message-ID"] = f"<{mail_id}@{address.rpartition('@')[2]}>"
    # Keeps holiday notices from answering (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.attach(_part("plain", mail.text))
    message.attach(_part("html", mail.html))
    return Message(address, recipient, message.as_bytes(policy=_WIRE))


def _unstructured(text: str) -> Header:
    """A header of free text. What is not plain ASCII is encoded as a whole (RFC 2047)."""
    plain = text.isascii() and text.isprintable() and "=?" not in text
    return Header(text, "us-ascii" if plain else "utf-8", header_name="Subject")


def _part(subtype: str, text: str) -> MIMENonMultipart:
    part = MIMENonMultipart("text", subtype, charset="utf-8")
    part.set_payload(text, charset=_BODY)
    return part
