"""From a rendered mail to the message that goes over the wire (RFC 5322)."""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID

from workers.emails.templates import Rendered


def build_message(
    mail_id: UUID, sender: str, recipient: str, mail: Rendered, sent_at: datetime
) -> EmailMessage:
    """A message with the mail as plain text and as HTML.

    The same mail always has the same Message-ID, so that one that is sent twice
    can be told by whoever receives it.

    Args:
        sender: as it stands in From, "Portico <no-reply@example.com>".
        recipient: the bare address.

    Raises:
        ValueError: if an address is none, or would end its header line.
    """
    message = EmailMessage()
    message["Subject"] = mail.subject
    message["From"] = sender
    message["To"] = Address(addr_spec=recipient)
    message["Date"] = format_datetime(sent_at)
    message["Message-ID"] = f"<{mail_id}@{message['From'].addresses[0].domain}>"
    # Keeps holiday notices from answering (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message
