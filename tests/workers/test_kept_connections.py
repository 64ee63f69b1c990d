"""Promises about connections to receivers that are kept open between deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from portico_kit.clock import utc_now
from server.common.outbound_addresses import AddressPolicy
from server.features.webhooks.delivery import http
from server.features.webhooks.delivery.http import WebhookClient

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
END_OF_HEADERS = b"\r\n\r\n"


@dataclass
class Plain:
    """A receiver that says, for each request, which bytes to answer with; None closes.

    Attributes:
        answers: for the requests to come; all others get `ANSWER`.
        requests: how many came, by connection.
    """

    port: int = 0
    answers: list[bytes | None] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(self.requests)
        self.requests.append(0)
        try:
            while await self._answer(reader, writer, place):
                pass
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: int
    ) -> bool:
        """Whether there may be another request."""
        head = (await reader.readuntil(END_OF_HEADERS)).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
        self.requests[place] += 1
        answer = self.answers.pop(0) if self.answers else ANSWER
        if answer is not None:
            writer.write(answer)
        return answer == ANSWER and b"connection: close" not in head


@pytest.fixture
async def plain() -> AsyncIterator[Plain]:
    receiver = Plain()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


@pytest.fixture
async def client() -> AsyncIterator[WebhookClient]:
    client = WebhookClient(AddressPolicy(allow_loopback=True), utc_now, "test")
    yield client
    await client.close()


async def test_deliveries_to_one_origin_share_a_connection(
    plain: Plain, client: WebhookClient
) -> None:
    for path in ("one", "two", "three"):
        assert (await client.post(f"{plain.url}/{path}", b"{}", {})).accepted
    assert plain.requests == [3]


@pytest.mark.parametrize("begun", [None, b"HTTP/1.1 200 O", b"HTTP/1.1 200 OK\r\nserver: x\r\n"])
async def test_a_kept_connection_that_ends_before_the_answer_costs_no_attempt(
    plain: Plain, client: WebhookClient, begun: bytes | None
) -> None:
    assert (await client.post(plain.url, b"{}", {})).accepted
    plain.answers = [begun]
    assert (await client.post(plain.url, b"{}", {})).accepted
    assert plain.requests == [2, 1]


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([None], id="the first request of a connection"),
        pytest.param([ANSWER, None, None], id="the new connection, too"),
        pytest.param([ANSWER, b"nonsense\r\n\r\n"], id="it answered with something else"),
    ],
)
async def test_what_is_the_fault_of_a_receiver_is_an_attempt_that_failed(
    plain: Plain, client: WebhookClient, answers: list[bytes | None]
) -> None:
    plain.answers, expected = list(answers), len(answers)
    if answers[0] == ANSWER:
        assert (await client.post(plain.url, b"{}", {})).accepted
    result = await client.post(plain.url, b"{}", {})
    assert (result.accepted, result.response_status) == (False, None)
    assert result.error in (
        "The connection was closed without an answer.",
        "The answer was not valid HTTP.",
    )
    assert sum(plain.requests) == expected


async def test_connections_are_kept_to_a_few_origins_only(
    plain: Plain, client: WebhookClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "KEPT_ORIGINS", 1)
    other = plain.url.replace("127.0.0.1", "localhost")
    for url in (plain.url, other, other, plain.url):
        assert (await client.post(url, b"{}", {})).accepted
    assert plain.requests == [2, 1, 1]
