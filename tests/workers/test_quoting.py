# ruff: noqa: RUF001 (characters that look like others)
"""Promises about the text of callers in mails: it can be read, and nothing else."""

from __future__ import annotations

import email
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from email.header import decode_header
from email.message import EmailMessage, Message
from email.policy import compat32, default
from html.parser import HTMLParser
from string import Template as Text
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.app import MAILS
from server.common.mail import Mail
from server.features.emails.message import build_message
from server.features.emails.quoting import quote_address, quote_name, quote_text
from server.features.emails.rendering import render

TOKEN = "k3Wz_a-token"
ADDRESS = "192.0.2.1"
PUBLIC_URL = "https://portico.example"
SENT_AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
MAIL_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
HEADERS = [
    "content-type",
    "mime-version",
    "subject",
    "from",
    "to",
    "date",
    "message-id",
    "auto-submitted",
]
# What the mail clients of this world make links of, and a little more.
PLACE = (
    r"[a-z][a-z0-9+.-]*:[^\s\d,]"  # any scheme
    r"|[\w-]+[.．。｡․][\w-]+"  # any host
    r"|[^\s@]@[^\s@,]"  # any address
    r"|\\\\\S"  # a share
)
TELEPHONE = r"\d(?:[\s().+/-]{0,3}\d){6}"
LINK = re.compile(f"{PLACE}|{TELEPHONE}", re.IGNORECASE)
HOSTILE = [
    "https://evil.example/x",
    "evil.example",
    "evil.example/x",
    "evil．com",
    "evil。com",
    "evil｡com",
    "evil․com",
    "WWW.evil",
    "eve@evil.example",
    "eve＠evil．example",
    "mailto:eve",
    "javascript:alert",
    "tel:+1",
    "http:⁄⁄evil",
    "\\\\evil\\share",
    "call +1 (800) 555-0199 now",
    "10.0.0.1",
    "=?utf-8?q?=0d=0aBcc:_eve=40evil.example=0d=0a=0d=0aHello?=",
    "=?utf-8?b?DQpCY2M6IGV2ZUBldmlsLmV4YW1wbGU=?=",
    "X\r\nBcc: eve@evil.example\r\n\r\nHello",
    "X\n.\nMAIL FROM:<eve@evil.example>",
    "X\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029Y",
    "\u202eevil\u202c \u2066x\u2069",
    "a\u200bb\u200c\u200d\u2060\ufeff\xad\u034f\u3164\U000e0041c",
    "Z" + "\u0335" * 80,
    "$token $display_name ${role}",
    "<a href='https://evil.example'>x</a>",
    "evil&#46;com",
    "-- ",
    ">quoted",
    "From eve",
    "",
    "\u200b",
    "\ud800",
]

names = st.one_of(
    st.text(max_size=120),
    st.sampled_from(HOSTILE),
    st.lists(
        st.sampled_from(
            [
                *HOSTILE,
                ".",
                "．",
                ":",
                "/",
                "@",
                "www",
                "com",
                "x",
                " ",
                "\u2024",
                "7",
                "\\",
                "⒈",
                "℀",
            ]
        ),
        max_size=8,
    ).map("".join),
    st.from_regex(r"[a-z]{1,5}([.:/@\\．。]{1,2}[a-z0-9]{1,5}){1,4}", fullmatch=True),
)
variables = st.fixed_dictionaries(
    {
        "token": st.just(TOKEN),
        "display_name": names,
        "organization_name": names,
        "inviter_name": names,
        "owner_name": names,
        "role": st.sampled_from(["owner", "admin", "member", "viewer"]),
        "key_count": st.just("3"),
        "factor_name": names,
        "codes_left": st.just("3"),
        "code": st.just("123456"),
        "valid_for": st.just("10 minutes"),
        "provider_name": names,
        "connection_name": names,
        "application_name": names,
        "required_from": st.just("26 November 2026, 09:00 UTC"),
        "due_at": st.just("26 November 2026, 09:00 UTC"),
        "device_name": names,
        "began_at": st.just("25 November 2026, 21:36 UTC"),
        "expires_at": st.just("25 December 2026, 21:36 UTC"),
        "ended_at": st.just("25 November 2026, 21:36 UTC"),
        "changed_at": st.just("25 November 2026, 21:36 UTC"),
        "blocked_at": st.just("25 November 2026, 21:36 UTC"),
        "signed_in_at": st.just("25 November 2026, 21:36 UTC"),
        "client_address": st.just(ADDRESS),
        "new_address": st.just("a***@evil.example"),
        "webhook_id": st.just("webhook"),
        "webhook_url": st.just("https://evil.example/…"),
        "webhook_description": names,
        "failing_since": st.just("25 November 2026, 21:36 UTC"),
        "disables_at": st.just("30 November 2026, 21:36 UTC"),
        "last_response": names,
    }
)
templates = st.sampled_from(sorted(MAILS))


class Targets(HTMLParser):
    """What a page leads to or loads, and the elements that it is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.elements: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.links += [value or "" for name, value in attrs if name != "lang"]


def sent(template: str, given: Mapping[str, str]) -> bytes:
    """A mail as it goes over the wire."""
    mail = render(MAILS[template], given, PUBLIC_URL)
    sender = "Portico <no-reply@portico.example>"
    return build_message(MAIL_ID, sender, "ada@example.com", mail, SENT_AT).content


def parts(content: bytes) -> tuple[str, str]:
    """The mail as plain text and as HTML."""
    message = email.message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    text, html = (part.get_content() for part in message.iter_parts())
    return text, html


def headers(message: Message) -> list[str]:
    """The names of the headers, as they stand there."""
    return [name.lower() for name in message.keys()]  # noqa: SIM118 (repeats count)


def unseen(text: str) -> list[str]:
    """What in a text is not shown, or turns or hides what is around it."""
    return [
        character
        for character in text
        if character != "\n"
        and (
            unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
            or character in "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe0f"
        )
    ]


@given(template=templates, given=variables)
def test_the_headers_of_a_mail_are_ours_whatever_a_name_is(
    template: str, given: Mapping[str, str]
) -> None:
    content = sent(template, given)
    head = content.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        assert line.isascii()
        assert len(line) <= 78
        assert b"\n" not in line
        assert b"\r" not in line
    starts = [
        line.partition(b":")[0].decode().lower() for line in head.split(b"\r\n") if line[:1] != b" "
    ]
    assert starts == HEADERS
    for policy in (default, compat32):
        message = email.message_from_bytes(content, policy=policy)
        assert headers(message) == HEADERS
        assert message["To"] == "ada@example.com"
        assert message["From"] == "Portico <no-reply@portico.example>"
        assert message.defects == []


@given(template=templates, given=variables)
def test_a_subject_is_one_line_of_text_however_it_is_decoded(
    template: str, given: Mapping[str, str]
) -> None:
    subject = render(MAILS[template], given, PUBLIC_URL).subject
    content = sent(template, given)
    assert email.message_from_bytes(content, policy=default)["Subject"] == subject
    raw = email.message_from_bytes(content, policy=compat32)["Subject"]
    pieces = [
        piece.decode(charset or "ascii") if isinstance(piece, bytes) else piece
        for piece, charset in decode_header(raw.replace("\r\n", ""))  # RFC 5322: unfolded
    ]
    assert "".join(pieces) == subject
    assert unseen(subject) == []
    assert "\n" not in subject
    assert LINK.search(subject) is None


@given(template=templates, given=variables)
def test_a_mail_leads_where_we_say_and_nowhere_else(
    template: str, given: Mapping[str, str]
) -> None:
    text, html = parts(sent(template, given))
    link = MAILS[template].link
    ours = [f"{PUBLIC_URL}{link.path}?token={TOKEN}"] if link else []
    read = text.replace(ADDRESS, " ")
    for url in ours:
        assert text.count(url) == 1
        read = read.replace(url, " ")
    assert LINK.search(read) is None, text
    targets = Targets()
    targets.feed(html)
    assert targets.links == ours
    assert targets.elements - {"bdi"} == {"html", "body", "p"} | (
        {"a", "br", "code"} if ours else set()
    )
    shown = re.sub(r"<[^>]*>", " ", html.replace("&amp;", "&"))
    assert LINK.search(shown.replace(ADDRESS, " ")) is None, shown


@given(template=templates, given=variables)
def test_nothing_in_a_mail_is_hidden_or_turned(template: str, given: Mapping[str, str]) -> None:
    for text in parts(sent(template, given)):
        assert unseen(text.replace("\r\n", "\n")) == []
        assert re.search(r"^[>\-.]", text, re.MULTILINE) is None


@given(text=names)
@example("https://evil.example/" + "x" * 500)
def test_any_other_text_leads_nowhere_either(text: str) -> None:
    quoted = quote_text(text)
    # A time of the day has as many digits as a telephone number.
    assert re.search(PLACE, quoted, re.IGNORECASE) is None
    assert unseen(quoted) == []
    assert "\n" not in quoted
    assert len(quoted) <= 300


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Dr. No", "Dr. No"),
        ("J.R.R. Tolkien", "J. R. R. Tolkien"),
        ("Portico Inc.", "Portico Inc."),
        ("Booking.com", "Booking. com"),
        ("R&D / Operations", "R&D / Operations"),
        ("Studio 54: Nights", "Studio 54: Nights"),
        ("モーニング娘。", "モーニング娘。"),
        ("אדה לאבלייס", "אדה לאבלייס"),
        ("Ne\u0301e", "Née"),
        ("A" * 150, "A" * 99 + "…"),
        ("https://evil.example", "an organization"),
        ("Win at evil.example/now", "an organization"),
        ("eve@evil.example", "an organization"),
        ("Support +1 800 555 0199", "an organization"),
        ("\u200b\u2066", "an organization"),
    ],
)
def test_a_name_is_shown_as_it_is_unless_it_could_be_followed(name: str, shown: str) -> None:
    assert quote_name("organization_name", name) == shown


def test_the_address_of_a_client_is_shown_as_it_is_and_nothing_else_is() -> None:
    assert quote_address("192.0.2.1") == "192.0.2.1"
    assert quote_address("evil.example") == "evil. example"


def test_a_time_is_shown_as_it_is() -> None:
    assert quote_text("2026-11-25 14:30:05 UTC") == "2026-11-25 14:30:05 UTC"


def test_a_token_that_is_none_of_ours_is_not_mailed() -> None:
    for token in ("", "x y", "x&next=https://evil.example", "x\n"):
        with pytest.raises(ValueError, match="token"):
            render(MAILS["verify_email"], {"token": token, "display_name": "Ada"}, PUBLIC_URL)


def lines(template: Mail) -> list[str]:
    """Every text of a template that begins a line of a mail."""
    return [*template.paragraphs, *template.notes]


@pytest.mark.parametrize("name", sorted(MAILS))
def test_no_line_of_a_mail_begins_with_what_a_caller_wrote(name: str) -> None:
    for line in lines(MAILS[name]):
        assert not line.startswith("$")
        assert Text(line).is_valid()
