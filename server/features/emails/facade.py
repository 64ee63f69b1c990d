"""Mails to send: a row in the caller's transaction, what it says sealed."""

from __future__ import annotations

import json

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.call import Call
from portico_kit.secrets import Secrets
from server.common.mail import Mail
from server.features.emails.models import EMAIL_PURPOSE, Email
from server.features.emails.names import EMAIL_TASK


class Mailer:
    """Puts mails into the outbox."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def send(self, call: Call, recipient: str, mail: Mail, **variables: str) -> None:
        """Queues a mail; it goes out after the commit.

        Args:
            recipient: the address.
            variables: what fills the gaps of the mail, for example the token.
        """
        self.queue(call.db, recipient, mail, **variables)
        call.tasks.add(EMAIL_TASK)

    def queue(self, db: AsyncSession, recipient: str, mail: Mail, **variables: str) -> None:
        """Queues a mail outside of a call; the next sweep finds it after the commit."""
        sealed = self._secrets.seal(EMAIL_PURPOSE, json.dumps(variables).encode())
        db.add(Email(recipient=recipient, template=mail.name, sealed_variables=sealed))
