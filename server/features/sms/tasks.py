"""What the workers do for text messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from server.feature import Job
from server.features.sms.names import SMS_TASK
from server.features.sms.sender import SmsSender
from server.features.sms.transport import Sms, SmsProviderError, SmsTransport
from server.parts import WorkerParts


class NoTransport:
    """Stands where no provider is set. The core queues nothing then, unless it is set there."""

    async def send(self, message: Sms) -> NoReturn:
        """See `SmsTransport.send`."""
        raise SmsProviderError("PORTICO_SMS_PROVIDER is not set for the workers")

    async def close(self) -> None:
        """Nothing is open."""


def tasks(parts: WorkerParts) -> Mapping[str, Job]:
    """The jobs, by their tasks."""
    transport = _transport(parts)
    parts.on_close.append(transport.close)
    return {SMS_TASK: SmsSender(parts.sessions, transport, parts.secrets, parts.clock)}


def _transport(parts: WorkerParts) -> SmsTransport:
    settings = parts.settings
    if settings.sms_provider == "twilio":
        # Imported here: the HTTP client is 13 MB.
        from server.features.sms.twilio import TwilioTransport

        return TwilioTransport(
            base_url=settings.twilio_url,
            account_sid=settings.twilio_account_sid,
            api_key=settings.twilio_api_key,
            auth_token=settings.twilio_auth_token.get_secret_value(),
            sender=settings.sms_from,
            status_callback=settings.twilio_status_callback,
        )
    if settings.sms_provider == "phonebox":
        from server.features.emails.smtp import SmtpTransport
        from server.features.sms.phonebox import PhoneboxTransport

        return PhoneboxTransport(SmtpTransport.from_url(settings.smtp_url), parts.clock)
    return NoTransport()
