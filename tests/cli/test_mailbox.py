"""The development mailbox: real SMTP in, a page and JSON out, and never in production."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import aiohttp
import pytest

from cli.mailbox.store import Mailbox
from cli.run.probes import request
from cli.run.settings import read_settings
from portico_kit.testing.waiting import wait_until
from tests.cli.conftest import Launch
from tests.cli.running import Run


@pytest.fixture
def mailbox(launch: Launch) -> Run:
    """A running mailbox."""
    run = launch("mailbox")
    port = read_settings(run.environment).mailbox_port
    wait_until(lambda: request("127.0.0.1", port, "GET", "/messages")[0] == 200, 15)
    return run


def mail(subject: str, text: str, html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["To"] = "Ada <ada@example.com>"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message


def send(run: Run, message: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", read_settings(run.environment).smtp_port) as smtp:
        smtp.send_message(message, "portico@example.com", ["ada@example.com"])


def browse(run: Run) -> aiohttp.ClientSession:
    port = read_settings(run.environment).mailbox_port
    return aiohttp.ClientSession(f"http://127.0.0.1:{port}")


async def test_a_mail_that_was_sent_is_shown(mailbox: Run) -> None:
    send(mailbox, mail("Grüße", "Open https://example.com/verify?token=a&b=c", "<b>Open</b>"))
    async with browse(mailbox) as browser:
        listed = await (await browser.get("/messages")).json()
        (message,) = listed["messages"]
        assert message["from"] == "portico@example.com"
        assert message["to"] == ["ada@example.com"]
        assert message["subject"] == "Grüße"
        assert message["text"].strip() == "Open https://example.com/verify?token=a&b=c"
        assert message["html"].strip() == "<b>Open</b>"
        single = await (await browser.get(f"/messages/{message['id']}")).json()
        assert single == message
        page = await (await browser.get("/")).text()
        assert 'href="https://example.com/verify?token=a&amp;b=c"' in page


async def test_the_newest_mail_comes_first_and_all_can_be_thrown_away(mailbox: Run) -> None:
    send(mailbox, mail("one", "1"))
    send(mailbox, mail("two", "2"))
    async with browse(mailbox) as browser:
        listed = await (await browser.get("/messages")).json()
        assert [each["subject"] for each in listed["messages"]] == ["two", "one"]
        assert (await browser.delete("/messages")).status == 204
        assert await (await browser.get("/messages")).json() == {"messages": []}
        assert (await browser.get(f"/messages/{listed['messages'][0]['id']}")).status == 404


async def test_a_hostile_mail_cannot_script_the_page(mailbox: Run) -> None:
    attack = "<script>alert(1)</script>"
    send(mailbox, mail(f'{attack}" onload="x', f'{attack} https://x/"onclick="y', f"'\"{attack}"))
    async with browse(mailbox) as browser:
        answer = await browser.get("/")
        page = await answer.text()
        assert "<script" not in page
        assert '" onload=' not in page
        assert '"onclick=' not in page
        assert "script-src" not in answer.headers["content-security-policy"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_the_mailbox_keeps_as_many_mails_as_fit() -> None:
    mailbox = Mailbox(capacity=2)
    for number in range(3):
        mailbox.take("a@example.com", ["b@example.com"], b"Subject: %d\r\n\r\nhello" % number)
    assert [each.subject for each in mailbox.all()] == ["2", "1"]


def test_a_mail_in_a_broken_encoding_is_taken_all_the_same() -> None:
    raw = (
        b"Subject: =?x-unknown?q?=ff?=\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xffhi"
    )
    message = Mailbox().take("a@example.com", ["b@example.com"], raw)
    assert message.text.endswith("hi")


def test_the_mailbox_does_not_start_in_production(launch: Launch) -> None:
    run = launch("mailbox", PORTICO_ENVIRONMENT="production")
    assert run.wait() == 1
    assert "the mailbox is for development only" in run.output
