"""Promises about mails: what they say, when they are sent, and what is kept of them."""

from __future__ import annotations

import asyncio
import email
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
import structlog
from aiosmtpd.smtp import SMTP

from tests.workers.harness import DrivenClock, Tenants
from workers.emails.outbox import claim_due
from workers.emails.reachability import Reachability
from workers.emails.sender import LEASE, EmailSender
from workers.emails.smtp import SmtpTransport

TOKEN = "k3Wz_a-token"
VARIABLES = {
    "token": TOKEN,
    "display_name": "Ada <b>Lovelace</b>",
    "organization_name": "R&D",
    "inviter_name": "Grace",
    "role": "admin",
}


@dataclass
class MailServer:
    """A mail server that keeps what it gets.

    Attributes:
        reply: what it says to a recipient; None takes everyone.
    """

    reply: str | None = None
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(  # the name is aiosmtpd's
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self.reply is not None:
            return self.reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        return "250 OK"


@pytest.fixture
async def server() -> MailServer:
    """A mail server."""
    return MailServer()


@pytest.fixture
async def sender(
    server: MailServer, tenants: Tenants, clock: DrivenClock
) -> AsyncIterator[EmailSender]:
    """The sender of a worker, for that server."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: SMTP(server, hostname="test"), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    yield EmailSender(
        sessions=tenants.sessions,
        transport=SmtpTransport.from_url(f"smtp://127.0.0.1:{port}"),
        secrets=tenants.secrets,
        clock=clock,
        sender="Portico <no-reply@portico.example>",
        public_url="https://portico.example/",
        server=Reachability("test"),
    )
    listener.close()


def part(message: EmailMessage, kind: str) -> str:
    """A mail as plain text or as HTML."""
    found = message.get_body((kind,))
    assert isinstance(found, EmailMessage)
    text: str = found.get_content()
    return text


@pytest.mark.parametrize(
    ("template", "path", "subject"),
    [
        ("verify_email", "/verify-email", "Confirm your address"),
        ("reset_password", "/reset-password", "Choose a new password"),
        ("choose_password", "/reset-password", "Your account is ready"),
        ("invitation", "/invitations/accept", "Invitation to R&D"),
    ],
)
async def test_a_mail_carries_the_link_and_the_token_as_text_and_as_html(
    tenants: Tenants,
    server: MailServer,
    sender: EmailSender,
    template: str,
    path: str,
    subject: str,
) -> None:
    await tenants.email(template, "ada@example.com", **VARIABLES)
    await sender()
    (message,) = server.mails
    assert (message["To"], message["Subject"]) == ("ada@example.com", subject)
    assert message["From"] == "Portico <no-reply@portico.example>"
    link = f"https://portico.example{path}?token={TOKEN}"
    text, html = part(message, "plain"), part(message, "html")
    assert link in text
    assert TOKEN in text.replace(link, "").split()
    assert f'<a href="{link}">' in html
    assert f"<code>{TOKEN}</code>" in html


async def test_a_new_password_is_reported_without_a_link(
    tenants: Tenants, server: MailServer, sender: EmailSender
) -> None:
    variables = {"changed_at": "25 November 2026, 21:36 UTC", "client_address": "192.0.2.1"}
    await tenants.email("password_changed", display_name="Ada", **variables)
    await sender()
    (message,) = server.mails
    assert message["Subject"] == "Your password was changed"
    for text in (part(message, "plain"), part(message, "html")):
        assert "25 November 2026, 21:36 UTC, from 192.0.2.1" in text
        assert "portico.example" not in text


async def test_a_name_cannot_smuggle_markup_into_a_mail(
    tenants: Tenants, server: MailServer, sender: EmailSender
) -> None:
    await tenants.email("verify_email", **VARIABLES)
    await sender()
    html = part(server.mails[0], "html")
    assert "Ada &lt;b&gt;Lovelace&lt;/b&gt;" in html
    assert "<b>" not in html


async def test_a_name_cannot_smuggle_a_header_into_a_mail(
    tenants: Tenants, server: MailServer, sender: EmailSender
) -> None:
    name = "X\r\nBcc: everyone@example.com\r\n\r\nbody"
    await tenants.email("invitation", **{**VARIABLES, "organization_name": name})
    await sender()
    (message,) = server.mails
    assert message["Bcc"] is None
    assert message["Subject"] == "Invitation to an organization"


async def test_what_a_mail_said_is_forgotten_once_it_is_sent(
    tenants: Tenants, server: MailServer, sender: EmailSender
) -> None:
    mail_id = await tenants.email("verify_email", **VARIABLES)
    await sender()
    row = await tenants.find_email(mail_id)
    assert (row.sealed_variables, row.next_attempt_at, row.attempt_count) == (None, None, 1)
    assert row.sent_at is not None
    await sender()
    assert len(server.mails) == 1


async def test_a_mail_server_that_fails_is_tried_after_0_60_300_and_900_seconds(
    tenants: Tenants, server: MailServer, sender: EmailSender, clock: DrivenClock
) -> None:
    server.reply = "451 later"
    mail_id = await tenants.email("verify_email", **VARIABLES)
    await sender()
    for made, pause in enumerate((60, 300, 900), start=1):
        clock.advance(timedelta(seconds=pause - 10))
        await sender()
        assert (await tenants.find_email(mail_id)).attempt_count == made
        clock.advance(timedelta(seconds=10))
        await sender()
    row = await tenants.find_email(mail_id)
    assert (row.attempt_count, row.next_attempt_at, row.sent_at) == (4, None, None)
    assert (row.sealed_variables, row.last_error) == (None, "SMTPRecipientsRefused")


async def test_a_mail_that_failed_once_arrives_later(
    tenants: Tenants, server: MailServer, sender: EmailSender, clock: DrivenClock
) -> None:
    server.reply = "451 later"
    mail_id = await tenants.email("verify_email", **VARIABLES)
    await sender()
    server.reply = None
    clock.advance(timedelta(seconds=61))
    await sender()
    assert (await tenants.find_email(mail_id)).sent_at is not None
    assert len(server.mails) == 1


async def test_an_address_that_is_refused_for_good_is_not_tried_again(
    tenants: Tenants, server: MailServer, sender: EmailSender
) -> None:
    server.reply = "550 no such user"
    mail_id = await tenants.email("verify_email", **VARIABLES)
    await sender()
    row = await tenants.find_email(mail_id)
    assert (row.attempt_count, row.next_attempt_at) == (1, None)
    assert row.last_error == "RecipientRefusedError"


async def test_a_mail_that_cannot_be_made_does_not_keep_others_waiting(
    tenants: Tenants, server: MailServer, sender: EmailSender
) -> None:
    broken = await tenants.email("no_such_template", **VARIABLES)
    for _ in range(12):
        await tenants.email("verify_email", **VARIABLES)
    await sender()
    assert len(server.mails) == 12
    assert (await tenants.find_email(broken)).last_error == "KeyError"


async def test_a_mail_whose_worker_died_is_sent_after_its_claim_has_run_out(
    tenants: Tenants, server: MailServer, sender: EmailSender, clock: DrivenClock
) -> None:
    mail_id = await tenants.email("verify_email", **VARIABLES)
    async with tenants.sessions.begin() as db:
        now = clock()
        assert len(await claim_due(db, now=now, until=now + LEASE, limit=10)) == 1
    await sender()
    assert server.mails == []
    clock.advance(LEASE)
    await sender()
    assert (await tenants.find_email(mail_id)).attempt_count == 1
    assert len(server.mails) == 1


async def test_no_log_line_holds_an_address_or_a_token(
    tenants: Tenants, server: MailServer, sender: EmailSender, clock: DrivenClock
) -> None:
    with structlog.testing.capture_logs() as lines:
        for reply in ("451 ada@example.com later", "550 ada@example.com unknown", None):
            server.reply = reply
            await tenants.email("verify_email", "ada@example.com", **VARIABLES)
            await sender()
            clock.advance(timedelta(hours=1))
            await sender()
    assert {line["event"] for line in lines} == {"email_sent", "email_failed"}
    assert "ada@example.com" not in str(lines)
    assert TOKEN not in str(lines)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", SmtpTransport("mail.example", 25)),
        (
            "smtps://me%40x:p%3Ass@mail.example",
            SmtpTransport("mail.example", 465, True, "me@x", "p:ss"),
        ),
        ("smtp://[::1]:1025", SmtpTransport("::1", 1025)),
    ],
)
def test_the_smtp_url_says_where_and_how(url: str, expected: SmtpTransport) -> None:
    assert SmtpTransport.from_url(url) == expected
    assert "p:ss" not in repr(expected)
