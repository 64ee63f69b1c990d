"""Promises about mails: what they say, when they are sent, and what is kept of them."""

from __future__ import annotations

import asyncio
import email
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
import structlog
from aiosmtpd.smtp import SMTP
from aiosmtplib import SMTPException

from portico_kit.testing.clocks import OffsetClock
from server.app import MAILS
from server.features.emails.email_queue import claim_due
from server.features.emails.reachability import Reachability
from server.features.emails.sender import LEASE, EmailSender
from server.features.emails.smtp import SmtpTransport
from tests.workers.harness import Tenants

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
        data_reply: what it says to a message.
        recipients: the envelopes' recipients.
        raw: the messages as they came.
    """

    reply: str | None = None
    data_reply: str = "250 OK"
    recipients: list[str] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(  # the name is aiosmtpd's
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self.reply is not None:
            return self.reply
        envelope.rcpt_tos.append(address)
        self.recipients.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        if self.data_reply.startswith("2"):
            self.mails.append(message)
            self.raw.append(envelope.content)
        return self.data_reply


@pytest.fixture
async def server() -> MailServer:
    """A mail server."""
    return MailServer()


@pytest.fixture
async def sender(
    server: MailServer, tenants: Tenants, clock: OffsetClock
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
        mails=MAILS,
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


async def test_a_changed_address_is_named_so_that_no_client_makes_a_link_of_it(
    tenants: Tenants, server: MailServer, sender: EmailSender
) -> None:
    variables = {
        "changed_at": "25 November 2026, 21:36 UTC",
        "client_address": "192.0.2.1",
        "new_address": "a***@evil.example",
    }
    await tenants.email("email_changed", display_name="Ada", token="k3Wz_a-token", **variables)
    await sender()
    (message,) = server.mails
    for text in (part(message, "plain"), part(message, "html")):
        assert "/revert-email-change?token=k3Wz_a-token" in text
        assert "a***@ evil. example" in text


async def test_a_new_password_is_reported_without_a_link(
    tenants: Tenants, server: MailServer, sender: EmailSender
) -> None:
    variables = {"changed_at": "25 November 2026, 21:36 UTC", "client_address": "192.0.2.1"}
    await tenants.email("password_changed", display_name="Ada", **variables)
    await sender()
    (message,) = server.mails
    assert message["Subject"] == "Your password was changed"
    for text in (part(message, "plain"), part(message, "html")):
        read = text.replace("<bdi>", "").replace("</bdi>", "")
        assert "25 November 2026, 21:36 UTC, from 192.0.2.1" in read
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
    tenants: Tenants, server: MailServer, sender: EmailSender, clock: OffsetClock
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
    tenants: Tenants, server: MailServer, sender: EmailSender, clock: OffsetClock
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
    tenants: Tenants, server: MailServer, sender: EmailSender, clock: OffsetClock
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


@pytest.mark.parametrize("template", ["verify_email", "invitation"])
async def test_an_encoded_word_in_a_name_adds_nothing_to_what_goes_over_the_wire(
    tenants: Tenants, server: MailServer, sender: EmailSender, template: str
) -> None:
    word = "=?utf-8?q?X=0d=0aBcc:_eve=40evil.example=0d=0a=0d=0aHello?="
    hostile = {**VARIABLES, "organization_name": word, "display_name": word, "inviter_name": word}
    await tenants.email(template, "ada@example.com", **hostile)
    await sender()
    (message,) = server.mails
    assert server.recipients == ["ada@example.com"]
    assert [name.lower() for name in message.keys()].count("subject") == 1  # noqa: SIM118
    assert message["Bcc"] is None
    assert b"\r\nBcc:" not in server.raw[0]
    assert part(message, "plain").startswith("Hello")


async def test_a_mail_goes_to_its_one_recipient_whatever_its_address_looks_like(
    tenants: Tenants, server: MailServer, sender: EmailSender
) -> None:
    for address in ("o'brien+x@example.com", "a%b!c@example.com", "ada@xn--bcher-kva.example"):
        await tenants.email("verify_email", address, **VARIABLES)
    await sender()
    expected = ["o'brien+x@example.com", "a%b!c@example.com", "ada@xn--bcher-kva.example"]
    assert sorted(server.recipients) == sorted(expected)
    assert sorted(str(message["To"]) for message in server.mails) == sorted(expected)


@pytest.mark.parametrize(
    "address", ["a..b@example.com", f"{'a' * 65}@example.com", "=?utf-8?q?=0d=0a?=@example.com"]
)
async def test_a_mail_to_an_address_that_cannot_be_written_is_given_up_at_once(
    tenants: Tenants, server: MailServer, sender: EmailSender, address: str
) -> None:
    mail_id = await tenants.email("verify_email", address, **VARIABLES)
    await sender()
    row = await tenants.find_email(mail_id)
    assert (row.attempt_count, row.next_attempt_at, server.mails) == (1, None, [])
    assert row.last_error == "UnwritableAddressError"


@pytest.mark.parametrize(
    ("data_reply", "error", "again"),
    [
        ("554 no ada@example.com", "MessageRefusedError", False),
        ("451 later ada@example.com", "SMTPDataError", True),
    ],
)
async def test_a_message_that_is_refused_for_good_is_not_tried_again(
    tenants: Tenants,
    server: MailServer,
    sender: EmailSender,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    data_reply: str,
    error: str,
    again: bool,
) -> None:
    server.data_reply = data_reply
    mail_id = await tenants.email("verify_email", "ada@example.com", **VARIABLES)
    await sender()
    row = await tenants.find_email(mail_id)
    assert (row.last_error, row.next_attempt_at is not None) == (error, again)
    logged = f"{capfd.readouterr()} {caplog.text}"
    assert "ada@example.com" not in logged
    assert TOKEN not in logged


async def test_a_password_is_never_sent_without_tls(
    server: MailServer, sender: EmailSender
) -> None:
    plain = sender.transport
    assert isinstance(plain, SmtpTransport)
    transport = SmtpTransport(plain.hostname, plain.port, username="me", password="secret")
    with pytest.raises(SMTPException):
        await transport.check()
    assert server.mails == []


async def test_a_mail_server_that_is_away_is_one_line_in_the_log_and_so_is_its_return(
    tenants: Tenants, sender: EmailSender, clock: OffsetClock
) -> None:
    working = sender.transport
    away = replace(sender, transport=SmtpTransport("127.0.0.1", 1))
    with structlog.testing.capture_logs() as lines:
        await away.server.check(away.transport, pause=0.01)
        await tenants.email("verify_email", "ada@example.com", **VARIABLES)
        await away()
        await sender.server.check(working)
    said = [line for line in lines if line["event"].startswith("mail_server")]
    assert [line["event"] for line in said] == ["mail_server_unavailable", "mail_server_available"]
    assert said[0]["log_level"] == "error"
    assert said[0]["server"] == "test"


async def test_a_mail_that_is_refused_does_not_count_against_the_mail_server(
    tenants: Tenants, server: MailServer, sender: EmailSender
) -> None:
    server.reply = "550 no such user"
    with structlog.testing.capture_logs() as lines:
        await tenants.email("verify_email", **VARIABLES)
        await sender()
    assert {line["event"] for line in lines} == {"email_failed"}


async def test_no_log_line_holds_an_address_or_a_token(
    tenants: Tenants, server: MailServer, sender: EmailSender, clock: OffsetClock
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
