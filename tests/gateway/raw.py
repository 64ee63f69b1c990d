"""HTTP as bytes: what a well-behaved client library would never send, or never show."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.support.http import error_of

SECONDS = 10.0
# After the last answer: that nothing more comes, and that the connection stays open.
SILENCE_SECONDS = 0.3


@dataclass(frozen=True)
class RawAnswer:
    """One HTTP/1 answer as it stood on the wire.

    Attributes:
        line: the status line.
        fields: the header fields in lower case, in order.
        body: the body, without the framing of chunks.
    """

    line: str
    fields: Sequence[tuple[str, str]]
    body: bytes

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.line.split(" ")[1])

    def all(self, name: str) -> list[str]:
        """Every value of a header field."""
        return [value for field, value in self.fields if field == name]

    def get(self, name: str) -> str | None:
        """The value of a header field that is there once or not at all."""
        values = self.all(name)
        assert len(values) <= 1, (name, values)
        return values[0] if values else None

    @property
    def error(self) -> Any:
        """The error of an answer that has the error shape and nothing beside it."""
        return error_of(self.body)


class Connection:
    """An HTTP/1 connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connects."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._writer.write(data)

    async def answer(self, verb: str = "GET") -> RawAnswer:
        """Reads the next answer, which is one to this verb.

        Raises:
            asyncio.IncompleteReadError: if the connection ends before.
        """
        async with asyncio.timeout(SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *rows = head.strip().split("\r\n")
            fields = [(name.lower(), value) for name, value in (row.split(": ", 1) for row in rows)]
            answer = RawAnswer(line, fields, b"")
            if verb == "HEAD" or answer.status in {100, 204, 304}:
                return answer
            return RawAnswer(line, fields, await self._body(answer))

    async def _body(self, answer: RawAnswer) -> bytes:
        length = answer.get("content-length")
        if length is not None:
            return await self._reader.readexactly(int(length))
        if answer.get("transfer-encoding") != "chunked":
            return await self._reader.read()
        body = b""
        while size := int(await self._reader.readline(), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readline()
        return body

    async def is_open(self) -> bool:
        """Whether the gateway keeps the connection, and says nothing more on it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_SECONDS):
                more = await self._reader.read(1)
                assert more == b"", more
                return False
        return True

    async def ends(self) -> bytes:
        """What comes until the gateway closes the connection."""
        async with asyncio.timeout(SECONDS):
            with suppress(ConnectionError):
                return await self._reader.read()
        return b""

    def close(self) -> None:
        """Closes the connection."""
        self._writer.close()


async def ask(port: int, data: bytes, verb: str = "GET") -> RawAnswer:
    """Sends bytes over a connection of their own and gives the first answer."""
    connection = await Connection.open(port)
    try:
        connection.send(data)
        return await connection.answer(verb)
    finally:
        connection.close()


def request(
    verb: str, path: str, *rows: str, body: bytes = b"", version: str = "HTTP/1.1"
) -> bytes:
    """A request; the rows are its header fields beside Host."""
    host = (
        () if any(row.lower().startswith("host:") for row in rows) else ("Host: api.example.com",)
    )
    lines = (f"{verb} {path} {version}", *host, *rows, "", "")
    return "\r\n".join(lines).encode("latin-1") + body
