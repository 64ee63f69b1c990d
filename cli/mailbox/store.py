"""The mails that were taken, newest first, in memory only; for several threads."""

from __future__ import annotations

import email
import threading
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default as modern

CAPACITY = 500


@dataclass(frozen=True)
class Message:
    """One mail: who it is from and for by the envelope, what it says by its content."""

    id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str | None
    received_at: datetime

    def to_json(self) -> dict[str, object]:
        """The mail as the API shows it."""
        return {
            "id": self.id,
            "from": self.sender,
            "to": list(self.recipients),
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "receivedAt": self.received_at.isoformat(timespec="milliseconds"),
        }


class Mailbox:
    """The last mails, as many as fit."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._messages: deque[Message] = deque(maxlen=capacity)
        self._lock = threading.Lock()

    def take(self, sender: str, recipients: list[str], content: bytes) -> Message:
        """Keeps a mail; the oldest one goes if the box is full.

        Args:
            sender: the address of the envelope's MAIL FROM.
            recipients: the addresses of its RCPT TO.
            content: the mail as it came, headers and all.
        """
        parsed = email.message_from_bytes(content, policy=modern)
        assert isinstance(parsed, EmailMessage)
        message = Message(
            id=str(uuid.uuid4()),
            sender=sender,
            recipients=tuple(recipients),
            subject=str(parsed.get("subject", "")),
            text=body(parsed, "plain") or "",
            html=body(parsed, "html"),
            received_at=datetime.now(UTC),
        )
        with self._lock:
            self._messages.appendleft(message)
        return message

    def all(self) -> tuple[Message, ...]:
        """Every mail, newest first."""
        with self._lock:
            return tuple(self._messages)

    def find(self, message_id: str) -> Message | None:
        """One mail."""
        return next((each for each in self.all() if each.id == message_id), None)

    def clear(self) -> None:
        """Throws every mail away."""
        with self._lock:
            self._messages.clear()


def body(message: EmailMessage, kind: str) -> str | None:
    """The text of the first part of a kind; a broken encoding is shown as well as possible."""
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, ValueError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
