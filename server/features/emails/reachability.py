"""Whether mails can be sent at all: a line in the log when that changes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from server.features.emails.smtp import SERVER_ERRORS, Transport

log = structlog.get_logger("emails")

# A mail server that starts beside the worker gets this long before it counts as away.
ATTEMPTS = 4
PAUSE = 2.0  # seconds between them


@dataclass(slots=True)
class Reachability:
    """What is known of the mail server.

    Attributes:
        server: how the log names it, host and port.
        reachable: None until it was used for the first time.
    """

    server: str
    reachable: bool | None = field(default=None, init=False)

    def succeeded(self) -> None:
        """Notes that the server took a mail, or would."""
        if self.reachable is False:
            log.info("mail_server_available", server=self.server)
        self.reachable = True

    def failed(self, error: Exception) -> None:
        """Notes that an attempt failed; what only one mail was refused for is none of it."""
        if not isinstance(error, SERVER_ERRORS):
            return
        if self.reachable is not False:
            log.error(
                "mail_server_unavailable",
                server=self.server,
                error=type(error).__name__,
                consequence="mails wait and are tried again; see PORTICO_SMTP_URL",
            )
        self.reachable = False

    async def check(self, transport: Transport, pause: float = PAUSE) -> None:
        """Tries the server when a worker starts, before anybody waits for a mail."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await transport.check()
            except Exception as error:
                if attempt == ATTEMPTS:
                    self.failed(error)
                else:
                    await asyncio.sleep(pause)
            else:
                self.succeeded()
                return
