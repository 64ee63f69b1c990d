"""Ways to see from outside whether something listens and works."""

from __future__ import annotations

import asyncio
import http.client
import socket
from pathlib import Path

PROBE_SECONDS = 2.0


async def tcp_answers(host: str, port: int) -> bool:
    """Whether something accepts connections on a port of this machine."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def unix_answers(path: Path) -> bool:
    """Whether something accepts connections on a unix socket."""
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    return True


def request(host: str, port: int, method: str, path: str) -> tuple[int, str]:
    """Sends one HTTP request to a port of this machine.

    Returns:
        The status and the body; status 0 and the reason if there was no answer.
    """
    return _ask(http.client.HTTPConnection(host, port, timeout=PROBE_SECONDS), method, path)


def unix_request(socket_path: Path, method: str, path: str) -> tuple[int, str]:
    """Sends one HTTP request to a unix socket; see `request`."""
    return _ask(_UnixConnection(socket_path), method, path)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PROBE_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PROBE_SECONDS)
        self.sock.connect(str(self._path))


def _ask(connection: http.client.HTTPConnection, method: str, path: str) -> tuple[int, str]:
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()
