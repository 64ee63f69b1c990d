"""Promises about text messages: what Twilio is told, when they are sent, what is kept of them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP
from sqlalchemy import select

from portico_kit.clock import utc_now
from portico_kit.ids import new_id
from portico_kit.testing.clocks import OffsetClock
from portico_kit.testing.waiting import eventually
from server.features.emails.smtp import SmtpTransport
from server.features.sms.message_queue import claim_due
from server.features.sms.models import PURPOSE, TextMessage
from server.features.sms.phonebox import PhoneboxTransport
from server.features.sms.sender import LEASE, SmsSender
from server.features.sms.transport import SmsTransport
from server.features.sms.twilio import TwilioTransport
from server.settings import WorkerSettings
from tests.workers.harness import Tenants
from tests.workers.processes import Platform
from tests.workers.test_emails import MailServer, part

ACCOUNT = "AC" + "0" * 32
TOKEN = "the token of the account"
NUMBER = "+4915123456789"
BODY = "123456 is your code for Portico. It is good for 10 minutes.\n\n@id.example #123456"


@dataclass
class Twilio:
    """Twilio's API on this machine, as its documentation describes it.

    Attributes:
        answers: what it answers next, by status and code; it takes a message when they are used up.
        slow: seconds that it takes.
        taken: the forms of the messages that it took.
        seen: the forms of all requests.
    """

    port: int = 0
    answers: list[tuple[int, int]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    slow: float = 0
    taken: list[dict[str, str]] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /2010-04-01/Accounts/{AccountSid}/Messages.json"""
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.seen.append(form)
        await asyncio.sleep(self.slow)
        signed_in = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {signed_in}":
            return self._error(401, 20003, "Authenticate")
        if request.match_info["account"] != ACCOUNT:
            return self._error(404, 20404, "The requested resource was not found")
        if self.answers:
            return self._error(*self.answers.pop(0), f"The number {form['To']} is not good")
        if missing := {"To", "Body"} - form.keys():
            return self._error(400, 21604, f"A {missing} is required.")
        if ("From" in form) == ("MessagingServiceSid" in form):
            return self._error(400, 21603, "A 'From' phone number is required.")
        self.taken.append(form)
        sid = f"SM{len(self.taken):032x}"
        return web.json_response({"sid": sid, "status": "queued", "to": form["To"]}, status=201)

    def _error(self, status: int, code: int, message: str) -> web.Response:
        more = f"https://www.twilio.com/docs/errors/{code}"
        content = {"code": code, "message": message, "more_info": more, "status": status}
        return web.json_response(content, status=status, headers=self.headers)


@asynccontextmanager
async def serving(twilio: Twilio) -> AsyncIterator[Twilio]:
    """The API, up as long as the block lasts."""
    app = web.Application()
    app.router.add_post("/2010-04-01/Accounts/{account}/Messages.json", twilio.create)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    twilio.port = runner.addresses[0][1]
    try:
        yield twilio
    finally:
        await runner.cleanup()


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    async with serving(Twilio()) as twilio:
        yield twilio


def transport(twilio: Twilio, **given: Any) -> TwilioTransport:
    fields = {"account_sid": ACCOUNT, "auth_token": TOKEN, "sender": "+15005550006", **given}
    return TwilioTransport(base_url=twilio.url, **fields)


def sender_by(tenants: Tenants, clock: OffsetClock, carrier: SmsTransport) -> SmsSender:
    return SmsSender(tenants.sessions, carrier, tenants.secrets, clock)


@pytest.fixture
async def sender(tenants: Tenants, clock: OffsetClock, twilio: Twilio) -> AsyncIterator[SmsSender]:
    """The sender of a worker, for that account."""
    carrier = transport(twilio)
    yield sender_by(tenants, clock, carrier)
    await carrier.close()


async def queue(tenants: Tenants, clock: OffsetClock, number: str = NUMBER) -> UUID:
    """A text message that is to be sent, as the core queues it."""
    content = json.dumps({"number": number, "body": BODY}).encode()
    row = TextMessage(
        id=new_id(),
        sealed_content=tenants.secrets.seal(PURPOSE, content),
        expires_at=clock() + timedelta(minutes=10),
        next_attempt_at=clock(),
    )
    identity = row.id
    async with tenants.sessions.begin() as db:
        db.add(row)
    return identity


async def find(tenants: Tenants, message_id: UUID) -> TextMessage:
    """What became of a text message."""
    async with tenants.sessions() as db:
        return await db.get_one(TextMessage, message_id)


async def test_twilio_is_told_to_whom_from_whom_and_what(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio, sender: SmsSender
) -> None:
    message_id = await queue(tenants, clock)
    await sender()
    assert twilio.taken == [{"From": "+15005550006", "To": NUMBER, "Body": BODY}]
    row = await find(tenants, message_id)
    assert (row.provider_id, row.next_attempt_at, row.attempt_count) == (
        f"SM{1:032x}",
        None,
        1,
    )
    assert row.sent_at is not None


async def test_a_messaging_service_a_key_and_a_callback_are_told_as_well(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio
) -> None:
    service, key, callback = "MG" + "1" * 32, "SK" + "2" * 32, "https://example.com/status"
    carrier = transport(twilio, sender=service, status_callback=callback)
    await queue(tenants, clock)
    await sender_by(tenants, clock, carrier)()
    await carrier.close()
    (form,) = twilio.taken
    assert (form["MessagingServiceSid"], form["StatusCallback"]) == (service, callback)
    assert "From" not in form
    by_key = transport(twilio, api_key=key)
    message_id = await queue(tenants, clock)
    await sender_by(tenants, clock, by_key)()
    await by_key.close()
    # It signed in as the key, which this account does not have.
    assert (await find(tenants, message_id)).last_error == "status 401, code 20003"


async def test_what_was_sent_is_forgotten(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio, sender: SmsSender
) -> None:
    message_id = await queue(tenants, clock)
    await sender()
    assert (await find(tenants, message_id)).sealed_content is None
    await sender()
    assert len(twilio.seen) == 1


@pytest.mark.parametrize(
    ("status", "code"), [(400, 21211), (400, 21408), (400, 21610), (400, 21614), (422, 60200)]
)
async def test_a_message_that_is_refused_for_good_is_not_tried_again(
    tenants: Tenants,
    clock: OffsetClock,
    twilio: Twilio,
    sender: SmsSender,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    status: int,
    code: int,
) -> None:
    twilio.answers = [(status, code)]
    message_id = await queue(tenants, clock)
    await sender()
    row = await find(tenants, message_id)
    assert (row.next_attempt_at, row.sealed_content) == (None, None)
    assert row.last_error == f"status {status}, code {code}"
    assert sender.provider.usable is None
    logged = f"{capfd.readouterr()} {caplog.text}"
    for secret in (NUMBER[1:], "123456 is", TOKEN):
        assert secret not in logged


@pytest.mark.parametrize(
    ("status", "code"), [(429, 20429), (500, 20500), (503, 20503), (401, 20003), (403, 20005)]
)
async def test_a_provider_that_fails_is_tried_again_after_10_30_and_120_seconds(
    tenants: Tenants,
    clock: OffsetClock,
    twilio: Twilio,
    sender: SmsSender,
    status: int,
    code: int,
) -> None:
    twilio.answers = [(status, code)] * 3
    message_id = await queue(tenants, clock)
    await sender()
    for made, pause in enumerate((10, 30, 120), start=1):
        assert sender.provider.usable is False
        clock.advance(timedelta(seconds=pause - 5))
        await sender()
        assert (await find(tenants, message_id)).attempt_count == made
        clock.advance(timedelta(seconds=5))
        await sender()
    row = await find(tenants, message_id)
    assert (row.attempt_count, row.next_attempt_at, row.sealed_content) == (4, None, None)
    assert len(twilio.taken) == 1
    assert sender.provider.usable is True


async def test_a_provider_that_asks_for_time_gets_it(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio, sender: SmsSender
) -> None:
    twilio.answers, twilio.headers = [(429, 20429)], {"retry-after": "60"}
    await queue(tenants, clock)
    await sender()
    clock.advance(timedelta(seconds=55))
    await sender()
    assert len(twilio.seen) == 1
    clock.advance(timedelta(seconds=10))
    await sender()
    assert len(twilio.taken) == 1


async def test_a_code_that_has_expired_is_not_sent(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio, sender: SmsSender
) -> None:
    message_id = await queue(tenants, clock)
    clock.advance(timedelta(minutes=10))
    await sender()
    row = await find(tenants, message_id)
    assert (row.last_error, row.next_attempt_at, row.sealed_content) == ("expired", None, None)
    assert twilio.seen == []


async def test_a_retry_that_would_come_too_late_is_none(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio, sender: SmsSender
) -> None:
    twilio.answers, twilio.headers = [(503, 20503)], {"retry-after": "600"}
    message_id = await queue(tenants, clock)
    clock.advance(timedelta(seconds=1))
    await sender()
    row = await find(tenants, message_id)
    assert (row.next_attempt_at, row.sealed_content) == (None, None)


async def test_a_provider_that_is_down_or_slow_keeps_nobody_else_waiting(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio
) -> None:
    twilio.slow = 5
    slow = transport(twilio, timeout=0.3)
    messages = [await queue(tenants, clock, f"+49151234567{n:02}") for n in range(10)]
    started = utc_now()
    await sender_by(tenants, clock, slow)()
    assert utc_now() - started < timedelta(seconds=4)
    await slow.close()
    rows = [await find(tenants, each) for each in messages]
    assert {row.last_error for row in rows} <= {"TimeoutError", "ConnectionTimeoutError"}
    assert all(row.next_attempt_at is not None for row in rows)
    twilio.port = 1  # nothing listens there
    down = transport(twilio)
    message_id = await queue(tenants, clock)
    await sender_by(tenants, clock, down)()
    await down.close()
    assert (await find(tenants, message_id)).last_error == "ClientConnectorError"


async def answering(raw: bytes, *, hang: bool = False) -> asyncio.Server:
    """A server that answers every request with these bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        if hang:
            await asyncio.sleep(2)
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\nnot JSON!", True),
        (b"HTTP/1.1 201 Created\r\ncontent-length: 4\r\n\r\nnull", True),
        # It breaks off; the message was taken all the same.
        (b"HTTP/1.1 201 Created\r\ncontent-length: 900\r\n\r\n{", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>", True),
        (
            b"HTTP/1.1 302 Found\r\nlocation: http://[::1]:1/\r\ncontent-length: 0\r\n\r\n",
            False,
        ),
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>", False),
        (b"no HTTP at all\r\n\r\n", False),
        (b"", False),
    ],
)
async def test_whatever_answers_a_message_is_sent_or_tried_again(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio, raw: bytes, sent: bool
) -> None:
    server = await answering(raw)
    twilio.port = server.sockets[0].getsockname()[1]
    carrier = transport(twilio, timeout=2)
    message_id = await queue(tenants, clock)
    await sender_by(tenants, clock, carrier)()
    await carrier.close()
    server.close()
    row = await find(tenants, message_id)
    assert (row.sent_at is not None, row.next_attempt_at is None) == (sent, sent)


async def test_an_answer_that_never_ends_sends_nothing_twice(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio
) -> None:
    head = b"HTTP/1.1 201 Created\r\ncontent-length: 900\r\n\r\n{"
    server = await answering(head, hang=True)
    twilio.port = server.sockets[0].getsockname()[1]
    carrier = transport(twilio, timeout=0.5)
    message_id = await queue(tenants, clock)
    await sender_by(tenants, clock, carrier)()
    await carrier.close()
    server.close()
    assert (await find(tenants, message_id)).sent_at is not None


async def test_two_workers_send_each_message_once(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio, sender: SmsSender
) -> None:
    numbers = [f"+49151200000{n:02}" for n in range(40)]
    for number in numbers:
        await queue(tenants, clock, number)
    other = transport(twilio)
    await asyncio.gather(sender(), sender_by(tenants, clock, other)())
    await other.close()
    assert sorted(form["To"] for form in twilio.seen) == numbers


async def test_a_message_whose_worker_died_is_sent_after_its_claim_has_run_out(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio, sender: SmsSender
) -> None:
    await queue(tenants, clock)
    async with tenants.sessions.begin() as db:
        now = clock()
        assert len(await claim_due(db, now=now, until=now + LEASE, limit=10)) == 1
    await sender()
    assert twilio.seen == []
    clock.advance(LEASE)
    await sender()
    assert len(twilio.taken) == 1


async def test_a_message_that_cannot_be_read_keeps_no_other_waiting(
    tenants: Tenants, clock: OffsetClock, twilio: Twilio, sender: SmsSender
) -> None:
    broken = TextMessage(
        id=new_id(),
        sealed_content=b"sealed with another key, and long enough",
        expires_at=clock() + timedelta(minutes=10),
        next_attempt_at=clock(),
    )
    broken_id = broken.id
    async with tenants.sessions.begin() as db:
        db.add(broken)
    for _ in range(12):
        await queue(tenants, clock)
    await sender()
    assert len(twilio.taken) == 12
    assert (await find(tenants, broken_id)).last_error == "InvalidTag"


async def test_the_phonebox_shows_a_message_in_the_development_mailbox(
    tenants: Tenants, clock: OffsetClock
) -> None:
    server = MailServer()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: SMTP(server, hostname="test"), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    box = PhoneboxTransport(SmtpTransport.from_url(f"smtp://127.0.0.1:{port}"), clock)
    message_id = await queue(tenants, clock)
    await sender_by(tenants, clock, box)()
    listener.close()
    (mail,) = server.mails
    assert mail["To"] == f"{NUMBER}@phonebox.localhost"
    assert part(mail, "plain").replace("\r\n", "\n") == f"{BODY}\n"
    assert (await find(tenants, message_id)).sent_at is not None
    # The mailbox has gone: it waits.
    message_id = await queue(tenants, clock)
    await sender_by(tenants, clock, box)()
    assert (await find(tenants, message_id)).next_attempt_at is not None


async def test_a_worker_that_is_killed_in_the_middle_loses_nothing(
    platform: Platform, tenants: Tenants, clock: OffsetClock, twilio: Twilio
) -> None:
    twilio.slow = 60
    message_id = await queue(tenants, clock)
    settings = {
        "PORTICO_SMS_PROVIDER": "twilio",
        "PORTICO_TWILIO_URL": twilio.url,
        "PORTICO_TWILIO_ACCOUNT_SID": ACCOUNT,
        "PORTICO_TWILIO_AUTH_TOKEN": TOKEN,
        "PORTICO_SMS_FROM": "Portico",
        "PORTICO_WORKER_BEAT": "true",
    }
    async with platform.running("worker", **settings) as (worker,):
        await eventually(lambda: len(twilio.seen) == 1, 60)
        await worker.kill()
    assert twilio.taken == []
    twilio.slow = 0
    row = await find(tenants, message_id)
    assert row.sealed_content is not None
    assert row.next_attempt_at is not None
    # What waiting for a minute does.
    async with tenants.sessions.begin() as db:
        waiting = (await db.scalars(select(TextMessage))).one()
        waiting.next_attempt_at = utc_now()
    async with platform.running("worker", **settings):
        await eventually(lambda: len(twilio.taken) == 1, 60)
    assert twilio.taken[0]["To"] == NUMBER
    logged = (platform.folder / "worker.log").read_text()
    assert NUMBER[1:] not in logged
    assert TOKEN not in logged
    assert "123456 is" not in logged


def worker_settings(**given: str) -> WorkerSettings:
    fields: dict[str, Any] = {
        "database_url": "postgresql://",
        "redis_url": "redis://localhost",
        "secret_key": base64.b64encode(bytes(32)).decode(),
        **given,
    }
    return WorkerSettings(**fields)


WHOLE = {
    "sms_provider": "twilio",
    "twilio_account_sid": ACCOUNT,
    "twilio_auth_token": TOKEN,
    "sms_from": "+15005550006",
}


def test_twilio_is_set_as_a_whole_or_refused() -> None:
    assert worker_settings(**WHOLE).sms_from == "+15005550006"
    for name in ("twilio_account_sid", "twilio_auth_token", "sms_from"):
        with pytest.raises(ValueError, match="PORTICO_SMS_PROVIDER=twilio needs it"):
            worker_settings(**{key: value for key, value in WHOLE.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("twilio_url", "http://api.twilio.com"),
        ("twilio_url", "ftp://127.0.0.1"),
        ("twilio_url", "https://"),
        ("twilio_account_sid", "../../" + "0" * 28),
        ("sms_from", "A sender whose name is too long"),
        ("sms_from", "+1\r\n500"),
        ("twilio_status_callback", "http://example.com"),
    ],
)
def test_what_would_send_a_credential_or_a_code_astray_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        worker_settings(**{**WHOLE, name: value})


def test_the_phonebox_is_for_development() -> None:
    assert worker_settings(sms_provider="phonebox").sms_provider == "phonebox"
    with pytest.raises(ValueError, match="development only"):
        worker_settings(sms_provider="phonebox", environment="production")
