"""Ways to see from outside whether something listens and works."""

from __future__ import annotations

import asyncio
import http.client
import socket
from pathlib import Path

from cli.run.errors import RunError

PROBE_SECONDS = 2.0


def require_free(port: int, variable: str) -> None:
    """Makes sure that nothing listens on a loopback port.

    Args:
        port: the TCP port.
        variable: the setting that moves it, for the message.

    Raises:
        RunError: if the port is taken.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(1)
        except OSError as error:
            raise RunError(
                f"port {port} is taken ({error.strerror}): stop what uses it or set {variable}"
            ) from error


async def tcp_answers(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
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


class UnixHttpConnection(http.client.HTTPConnection):
    """HTTP/1.1 over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connects to the socket's path."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def request(where: int | Path, method: str, path: str) -> tuple[int, str]:
    """Sends one HTTP request to a loopback port or a unix socket.

    Returns:
        The status and the body; status 0 and the reason if there was no answer.
    """
    connection: http.client.HTTPConnection
    if isinstance(where, int):
        connection = http.client.HTTPConnection("127.0.0.1", where, timeout=PROBE_SECONDS)
    else:
        connection = UnixHttpConnection(where, PROBE_SECONDS)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()
