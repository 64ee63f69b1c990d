"""Text messages in the development mailbox, for a platform without a phone in reach."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from portico_kit.clock import Clock
from server.features.emails.message import build_message
from server.features.emails.rendering import Rendered
from server.features.emails.smtp import SmtpTransport
from server.features.sms.transport import Sms, SmsProviderError

# Stands for the phone with a number; no mail server delivers to it.
DOMAIN = "phonebox.localhost"
SENDER = f"Text messages <sms@{DOMAIN}>"


@dataclass(frozen=True, slots=True)
class PhoneboxTransport:
    """Hands each text message to the mail server, as a mail to number@phonebox.localhost."""

    server: SmtpTransport
    clock: Clock

    async def send(self, message: Sms) -> str:
        """See `SmsTransport.send`."""
        mail = Rendered("Text message", f"{message.body}\n", f"<pre>{escape(message.body)}</pre>\n")
        recipient = f"{message.number}@{DOMAIN}"
        try:
            await self.server.send(build_message(message.id, SENDER, recipient, mail, self.clock()))
        except Exception as error:
            raise SmsProviderError(type(error).__name__) from None
        return ""

    async def close(self) -> None:
        """Nothing stays open."""
