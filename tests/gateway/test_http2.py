"""What RFC 9113 (HTTP/2) demands of how we take broken requests, section by section.

Frames are written by hand: no client library would send these.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pytest

from edge.gateway.headers import MAX_HEADERS, MAX_HEADERS_BYTES
from tests.gateway.backends import Backends
from tests.gateway.gateway import Gateway

SECONDS = 5.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PROTOCOL_ERROR, FRAME_SIZE_ERROR, STREAM_CLOSED, COMPRESSION_ERROR = 1, 6, 5, 9
# Indexes of HPACK's static table, which begins an answer's block.
STATUSES = {0x88: 200, 0x89: 204, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}

Fields = Sequence[tuple[str, str]]
HEALTH: Fields = (
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/api/v1/health"),
    (":authority", "api.example.com"),
)


@dataclass(frozen=True)
class Frame:
    """One frame."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    def __bytes__(self) -> bytes:
        head = len(self.payload).to_bytes(3, "big") + bytes((self.kind, self.flags))
        return head + self.stream.to_bytes(4, "big") + self.payload

    @property
    def error(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        at = 0 if self.kind == RST_STREAM else 4
        return int.from_bytes(self.payload[at : at + 4], "big")


def block(fields: Fields) -> bytes:
    """A header block of literals."""
    return b"".join(b"\0" + text(name) + text(value) for name, value in fields)


def text(value: str) -> bytes:
    """A string of HPACK: its length with a prefix of 7 bits, and its bytes."""
    data = value.encode("latin-1")
    rest = len(data) - 127
    if rest < 0:
        return bytes((len(data),)) + data
    length = b"\x7f"
    while rest >= 128:
        length += bytes((rest % 128 + 128,))
        rest //= 128
    return length + bytes((rest,)) + data


def headers(fields: Fields, stream: int = 1, *, end: bool = True) -> bytes:
    """A request's HEADERS, with as many CONTINUATION frames as it needs."""
    data = block(fields)
    pieces = [data[at : at + 16_384] for at in range(0, len(data), 16_384)]
    frames = []
    for number, piece in enumerate(pieces):
        flags = END_HEADERS if number == len(pieces) - 1 else 0
        kind = CONTINUATION if number else HEADERS
        frames.append(
            bytes(Frame(kind, flags | (END_STREAM if end and not number else 0), stream, piece))
        )
    return b"".join(frames)


def without(name: str) -> Fields:
    return [field for field in HEALTH if field[0] != name]


class Connection:
    """An HTTP/2 connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, *frames: bytes) -> None:
        """Sends frames, or other bytes."""
        self._writer.write(b"".join(frames))

    async def until(self, *kinds: int) -> Frame:
        """The next frame of one of these kinds.

        Raises:
            asyncio.IncompleteReadError: if the connection ends before.
        """
        async with asyncio.timeout(SECONDS):
            while True:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                frame = Frame(head[3], head[4], int.from_bytes(head[5:], "big"), payload)
                if frame.kind in kinds:
                    return frame

    async def status(self, stream: int = 1) -> int | None:
        """The status of the answer on a stream; None if the stream was reset."""
        while True:
            frame = await self.until(HEADERS, RST_STREAM)
            if frame.stream != stream:
                continue
            return STATUSES.get(frame.payload[0], 0) if frame.kind == HEADERS else None

    async def ends_with(self) -> int | None:
        """The error with which the gateway ends the connection; None if it says none.

        It should say one (section 5.4.1); of some it does not.
        """
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            return (await self.until(GOAWAY)).error
        return None


@pytest.fixture
async def connection(gateway: Gateway) -> AsyncIterator[Connection]:
    """A connection whose first words are said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.rest_port)
    opened = Connection(reader, writer)
    opened.send(PREFACE, bytes(Frame(SETTINGS, 0, 0, b"")))
    yield opened
    writer.close()


# Requests that are malformed (8.1.1): errors of their stream, or 400.
MALFORMED: list[tuple[str, str, Fields]] = [
    ("8.2.1", "a name in capitals", [*HEALTH, ("X-Field", "v")]),
    ("8.2.1", "a name with a space", [*HEALTH, ("x field", "v")]),
    ("8.2.1", "a NUL in a value", [*HEALTH, ("x-field", "a\0b")]),
    ("8.2.1", "a line break in a value", [*HEALTH, ("x-field", "a\r\nx-auth-subject: b")]),
    ("8.2.2", "Connection", [*HEALTH, ("connection", "keep-alive")]),
    ("8.2.2", "Transfer-Encoding", [*HEALTH, ("transfer-encoding", "chunked")]),
    ("8.2.2", "TE other than trailers", [*HEALTH, ("te", "gzip")]),
    ("8.3", "an unknown pseudo-header", [*HEALTH, (":protocol-of-mine", "v")]),
    ("8.3", "a pseudo-header of answers", [*HEALTH, (":status", "200")]),
    ("8.3", "a pseudo-header behind a field", [("x-field", "v"), *HEALTH]),
    ("8.3", "a pseudo-header twice", [*HEALTH, (":path", "/api/v1/users/me")]),
    ("8.3.1", "no :method", without(":method")),
    ("8.3.1", "no :scheme", without(":scheme")),
    ("8.3.1", "no :path", without(":path")),
    ("8.3.1", "an empty :path", [*without(":path"), (":path", "")]),
    ("8.1.1", "a length that is not there", [*HEALTH, ("content-length", "5")]),
]


@pytest.mark.parametrize(
    ("section", "what", "fields"), MALFORMED, ids=[f"{row[0]}: {row[1]}" for row in MALFORMED]
)
async def test_a_malformed_request_is_refused_and_the_others_go_on(
    connection: Connection, backends: Backends, section: str, what: str, fields: Fields
) -> None:
    connection.send(headers(fields, 1))
    assert await connection.status(1) in {None, 400}
    assert backends.calls == []
    connection.send(headers(HEALTH, 3))
    assert await connection.status(3) == 200


async def test_more_data_than_the_length_is_an_error_of_the_stream(
    connection: Connection, backends: Backends
) -> None:
    """8.1.1."""
    fields = [
        (":method", "POST"),
        *HEALTH[1:2],
        (":path", "/api/v1/auth/login"),
        *HEALTH[3:],
        ("content-type", "application/json"),
        ("content-length", "1"),
    ]
    connection.send(headers(fields, end=False), bytes(Frame(DATA, END_STREAM, 1, b"{}")))
    assert await connection.status() in {None, 400}
    connection.send(headers(HEALTH, 3))
    assert await connection.status(3) == 200


# Errors of the connection (5.4.1): GOAWAY with the code, and the end.
BROKEN: list[tuple[str, str, bytes, set[int]]] = [
    ("5.1.1", "a stream of the server's", headers(HEALTH, 2), {PROTOCOL_ERROR}),
    (
        "5.1",
        "data of a stream that is idle",
        bytes(Frame(DATA, 0, 1, b"a")),
        {PROTOCOL_ERROR, STREAM_CLOSED},
    ),
    ("6.1", "data of no stream", bytes(Frame(DATA, 0, 0, b"a")), {PROTOCOL_ERROR}),
    ("6.2", "headers of no stream", headers(HEALTH, 0), {PROTOCOL_ERROR}),
    ("6.5", "settings with a rest", bytes(Frame(SETTINGS, 0, 0, b"abc")), {FRAME_SIZE_ERROR}),
    ("6.7", "a ping that is too short", bytes(Frame(PING, 0, 0, b"abc")), {FRAME_SIZE_ERROR}),
    (
        "6.9",
        "a window that grows by nothing",
        bytes(Frame(WINDOW_UPDATE, 0, 0, bytes(4))),
        {PROTOCOL_ERROR},
    ),
    ("6.10", "what continues nothing", bytes(Frame(CONTINUATION, 4, 1, b"a")), {PROTOCOL_ERROR}),
    (
        "4.2",
        "a frame that is too large",
        bytes(Frame(HEADERS, 4, 1, bytes(20_000))),
        {FRAME_SIZE_ERROR},
    ),
    (
        "4.3",
        "a block that is no HPACK",
        bytes(Frame(HEADERS, 5, 1, b"\xff" * 9)),
        {COMPRESSION_ERROR},
    ),
]


@pytest.mark.parametrize(
    ("section", "what", "data", "codes"), BROKEN, ids=[f"{row[0]}: {row[1]}" for row in BROKEN]
)
async def test_a_broken_connection_ends_with_the_reason(
    connection: Connection, gateway: Gateway, section: str, what: str, data: bytes, codes: set[int]
) -> None:
    connection.send(data)
    assert await connection.ends_with() in {*codes, None}
    assert (await gateway.get("/api/v1/health")).status == 200


async def test_what_is_not_known_is_ignored(connection: Connection) -> None:
    """5.5 and 6.5.2: frames and settings of the future."""
    connection.send(
        bytes(Frame(0xFA, 0xFF, 0, b"anything")),
        bytes(Frame(SETTINGS, 0, 0, (0xFAFA).to_bytes(2, "big") + bytes(4))),
        headers(HEALTH),
    )
    assert await connection.status() == 200


async def test_a_ping_is_answered_with_what_it_said(connection: Connection) -> None:
    """6.7."""
    connection.send(bytes(Frame(PING, 0, 0, b"12345678")))
    pong = await connection.until(PING)
    assert (pong.flags & ACK, pong.payload) == (ACK, b"12345678")


async def test_a_stream_that_is_reset_disturbs_no_other(connection: Connection) -> None:
    """5.4.2."""
    cancel = bytes(Frame(RST_STREAM, 0, 1, (8).to_bytes(4, "big")))
    connection.send(headers(HEALTH, 1), cancel, headers(HEALTH, 3))
    assert await connection.status(3) == 200


@pytest.mark.parametrize(
    "fields",
    [
        [("x-large", "a" * (MAX_HEADERS_BYTES + 1024))],
        [(f"x-field-{number}", "v") for number in range(MAX_HEADERS + 1)],
        [("x-large", "a" * 4 * MAX_HEADERS_BYTES)],
        [(f"x-field-{number}", "v") for number in range(10 * MAX_HEADERS)],
    ],
    ids=["large", "many", "very large", "very many"],
)
async def test_too_large_headers_are_refused_and_the_others_go_on(
    connection: Connection, backends: Backends, fields: Fields
) -> None:
    """6.5.2: what is far too large may only be reset."""
    connection.send(headers([*HEALTH, *fields], 1))
    assert await connection.status(1) in {None, 0}
    assert backends.calls == []
    connection.send(headers(HEALTH, 3))
    assert await connection.status(3) == 200
