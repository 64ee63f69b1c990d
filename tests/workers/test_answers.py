"""Promises about what counts as an answer, whatever a receiver sends, and about TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from portico_kit.clock import utc_now
from server.common.outbound_addresses import AddressPolicy
from server.features.webhooks.delivery.connections import LONGEST_ANSWER, _tls
from server.features.webhooks.delivery.http import WebhookClient

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = b"content-length: 0\r\n\r\n"
INVALID = "The answer was not valid HTTP."
CLOSED = "The connection was closed without an answer."


@asynccontextmanager
async def answering(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A receiver that answers with these bytes and closes the connection; gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await asyncio.sleep(0.02)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def client() -> AsyncIterator[WebhookClient]:
    client = WebhookClient(AddressPolicy(allow_loopback=True), utc_now, "test", 3.0)
    yield client
    await client.close()


@pytest.mark.parametrize(
    ("answer", "status", "body", "error"),
    [
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nall", 200, "all", "", id="until the end"),
        pytest.param(OK.replace(b"\r", b"") + b"\nhi", 200, "hi", "", id="no carriage returns"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + EMPTY, 200, "", "", id="provisional"),
        pytest.param(OK + EMPTY + b"HTTP/1.1 500 No\r\n" + EMPTY, 200, "", "", id="two answers"),
        pytest.param(OK + b"content-length: 9\r\n\r\nhalf", 200, "half", "", id="half of a body"),
        pytest.param(OK + b"transfer-encoding: chunked\r\n\r\nZZ\r\n", 200, "", "", id="bad chunk"),
        pytest.param(OK + b"content-length: -1\r\n\r\n", None, "", INVALID, id="negative length"),
        pytest.param(OK + b"content-length: 5\r\n" + EMPTY, None, "", INVALID, id="two lengths"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", None, "", INVALID, id="another protocol"),
        pytest.param(OK + b"x: " + b"a" * LONGEST_ANSWER * 2, None, "", INVALID, id="endless head"),
        pytest.param(b"HTTP/1.1 103 A\r\n\r\n" * 9999, None, "", INVALID, id="endless hints"),
        pytest.param(OK + b"server: x\r\n", None, "", CLOSED, id="half of a head"),
    ],
)
async def test_an_answer_counts_once_its_head_is_complete(
    client: WebhookClient, answer: bytes, status: int | None, body: str, error: str
) -> None:
    async with answering(answer) as port:
        result = await client.post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert (result.response_status, result.response_body, result.error) == (status, body, error)


async def test_no_header_becomes_two(client: WebhookClient) -> None:
    async with answering(OK + EMPTY) as port:
        result = await client.post(f"http://127.0.0.1:{port}/", b"{}", {"x": "a\r\nhost: b"})
    assert result.error == "The request could not be sent."


def certificate(folder: Path, address: str) -> ssl.SSLContext:
    """What a server with a certificate of its own needs; the certificate is in cert.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(utc_now() - timedelta(days=1))
        .not_valid_after(utc_now() + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize(
    ("address", "trusted", "error"),
    [
        ("127.0.0.1", True, ""),
        ("127.0.0.1", False, "The TLS certificate is not valid."),
        ("127.0.0.2", True, "The TLS certificate is not valid."),
    ],
)
async def test_a_certificate_is_trusted_and_names_the_host(
    client: WebhookClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    trusted: bool,
    error: str,
) -> None:
    tls = certificate(tmp_path, address)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    _tls.cache_clear()
    async with answering(OK + EMPTY, tls) as port:
        result = await client.post(f"https://127.0.0.1:{port}/", b"{}", {})
    _tls.cache_clear()
    assert (result.accepted, result.error) == (not error, error)


async def test_what_speaks_no_tls_is_said_so(client: WebhookClient) -> None:
    async with answering(OK + EMPTY) as port:
        result = await client.post(f"https://127.0.0.1:{port}/", b"{}", {})
    assert result.error in (
        "The TLS connection could not be established.",
        "There was no answer in time.",
    )
