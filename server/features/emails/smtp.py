"""The mail server: where it is, and handing it a message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib

from server.features.emails.message import Message

TIMEOUT = 10.0  # seconds for each step
DEFAULT_PORTS = {"smtp": 25, "smtps": 465}

# What is raised if the mail server cannot be used at all, for whatever mail.
SERVER_ERRORS = (
    OSError,
    aiosmtplib.SMTPAuthenticationError,
    aiosmtplib.SMTPConnectError,
    aiosmtplib.SMTPHeloError,
    aiosmtplib.SMTPNotSupported,
    aiosmtplib.SMTPServerDisconnected,
    aiosmtplib.SMTPTimeoutError,
)


class RefusedError(Exception):
    """The mail server refuses a mail for good."""


class RecipientRefusedError(RefusedError):
    """The mail server will never take a mail for this address."""


class MessageRefusedError(RefusedError):
    """The mail server will never take this message."""


class Transport(Protocol):
    """Hands messages to whoever carries them."""

    async def send(self, message: Message) -> None:
        """Sends one message.

        Raises:
            RefusedError: if there is no point in trying again.
            Exception: if it failed for now.
        """
        ...

    async def check(self) -> None:
        """Connects and signs in, and sends nothing.

        Raises:
            Exception: if no message could be sent.
        """
        ...


@dataclass(frozen=True, slots=True)
class SmtpTransport:
    """Hands messages to an SMTP server, one connection each."""

    hostname: str
    port: int
    implicit_tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str) -> SmtpTransport:
        """Reads smtp:// (STARTTLS if the server offers it) or smtps:// (TLS from the start).

        User name and password may stand in it, percent-encoded.

        Raises:
            ValueError: if there is no host in it.
        """
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError("the SMTP URL names no host")
        return cls(
            hostname=parts.hostname,
            port=parts.port or DEFAULT_PORTS[parts.scheme],
            implicit_tls=parts.scheme == "smtps",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

    async def send(self, message: Message) -> None:
        """Sends one message to its one recipient; its headers decide nothing.

        Raises:
            RecipientRefusedError: if the server refuses the address for good (5xx).
            MessageRefusedError: if it refuses the message for good (5xx).
            aiosmtplib.SMTPException: if it failed for now.
            OSError: if the server is out of reach.
        """
        try:
            await aiosmtplib.send(
                message.content,
                sender=message.sender,
                recipients=[message.recipient],
                **self._connection(),
            )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            if all(each.code >= 500 for each in refused.recipients):
                raise RecipientRefusedError from refused
            raise
        except aiosmtplib.SMTPDataError as refused:
            if refused.code >= 500:
                raise MessageRefusedError from refused
            raise

    async def check(self) -> None:
        """Connects and signs in, and sends nothing.

        Raises:
            aiosmtplib.SMTPException: if the server does not take our mails.
            OSError: if the server is out of reach.
        """
        async with aiosmtplib.SMTP(**self._connection()):
            pass

    def _connection(self) -> dict[str, Any]:
        return {
            "hostname": self.hostname,
            "port": self.port,
            "use_tls": self.implicit_tls,
            # A password is sent only over TLS; without one, TLS is used where it is offered.
            "start_tls": True if self.password and not self.implicit_tls else None,
            "username": self.username,
            "password": self.password,
            "timeout": TIMEOUT,
        }
