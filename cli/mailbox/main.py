"""`portico mailbox`: an SMTP sink with a page and a JSON API, for development."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from cli.mailbox.store import Mailbox
from cli.mailbox.web import Server
from cli.run.errors import RunError
from cli.run.settings import Settings, read_settings
from portico_kit.logs import configure
from portico_kit.signals import stop_signal
from portico_kit.start import StartError, require_free

MAX_MAIL_BYTES = 5_000_000

log = structlog.get_logger()


def main() -> int:
    """Serves the mailbox until SIGTERM or SIGINT.

    Returns:
        0 after a signal; 1, with a line that says why, if it cannot serve.
    """
    try:
        settings = read_settings(os.environ)
        configure("mailbox", settings.log_level)
        if not settings.development:
            raise RunError("the mailbox is for development only: set PORTICO_SMTP_URL instead")
        require_free(settings.mailbox_host, settings.smtp_port, "PORTICO_SMTP_URL")
        require_free(settings.mailbox_host, settings.mailbox_port, "PORTICO_MAILBOX_PORT")
        asyncio.run(serve(settings))
    except (RunError, StartError, OSError) as error:
        print(f"portico mailbox: {error}", file=sys.stderr)
        return 1
    return 0


async def serve(settings: Settings) -> None:
    """Takes mail on the SMTP port and shows it on the mailbox port."""
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    stop = stop_signal()
    smtp = await loop.create_server(
        lambda: SMTP(Sink(mailbox), data_size_limit=MAX_MAIL_BYTES, enable_SMTPUTF8=True),
        settings.mailbox_host,
        settings.smtp_port,
    )
    web = Server(settings.mailbox_host, settings.mailbox_port, mailbox)
    threading.Thread(target=web.serve_forever, name="web", daemon=True).start()
    try:
        log.info("mailbox.ready", smtp_port=settings.smtp_port, port=settings.mailbox_port)
        await stop.wait()
    finally:
        smtp.close()
        web.shutdown()
        web.server_close()


class Sink:
    """Accepts every mail for anybody. The method's name is aiosmtpd's."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keeps the mail and says so."""
        content = envelope.original_content or b""
        message = self._mailbox.take(envelope.mail_from or "", list(envelope.rcpt_tos), content)
        log.info("mailbox.taken", id=message.id)
        return "250 Message accepted for delivery"
