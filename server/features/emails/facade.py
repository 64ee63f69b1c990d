"""Mails to send: a row in the caller's transaction, what it says sealed."""

from __future__ import annotations

import json
from typing import Literal

from portico_kit.call import Call
from portico_kit.secrets import Secrets
from portico_kit.storage.outbox import EMAIL_PURPOSE, Email
from portico_kit.tasks.names import EMAIL_TASK

Template = Literal[
    "verify_email",
    "reset_password",
    "choose_password",
    "invitation",
    "keys_imported",
    "owner_appointed",
    "password_changed",
    "webhook_disabled",
]


class Mailer:
    """Puts mails into the outbox."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def send(self, call: Call, recipient: str, template: Template, **variables: str) -> None:
        """Queues a mail; it goes out after the commit.

        Args:
            recipient: the address.
            template: which mail, see workers/emails.
            variables: what the template fills in, for example the token.
        """
        sealed = self._secrets.seal(EMAIL_PURPOSE, json.dumps(variables).encode())
        call.db.add(Email(recipient=recipient, template=template, sealed_variables=sealed))
        call.wakes.add(EMAIL_TASK)
