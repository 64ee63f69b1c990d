"""What the workers do for mails."""

from __future__ import annotations

from collections.abc import Mapping

from server.feature import Job
from server.features.emails.names import EMAIL_TASK
from server.features.emails.reachability import Reachability
from server.features.emails.sender import EmailSender
from server.features.emails.smtp import SmtpTransport
from server.parts import WorkerParts


def tasks(parts: WorkerParts) -> Mapping[str, Job]:
    """The jobs, by their tasks. The log says at the start whether mails can be sent."""
    transport = SmtpTransport.from_url(parts.settings.smtp_url)
    server = Reachability(f"{transport.hostname}:{transport.port}")
    parts.background.append(lambda: server.check(transport))
    sender = EmailSender(
        sessions=parts.sessions,
        transport=transport,
        secrets=parts.secrets,
        clock=parts.clock,
        mails=parts.mails,
        sender=parts.settings.mail_from,
        public_url=parts.settings.public_url,
        server=server,
    )
    return {EMAIL_TASK: sender}
