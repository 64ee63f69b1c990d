"""What keeps a process from starting, said in one line that says what to do."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONNECT_SECONDS = 2.0


class StartError(Exception):
    """A process cannot start; the message says why and what to do."""


@contextmanager
def one_line(process: str) -> Iterator[None]:
    """Turns a StartError into the end of the process with exit code 1 and one line."""
    try:
        yield
    except StartError as error:
        sys.exit(f"portico {process}: {error}")


def claim_socket(path: Path) -> None:
    """Makes a unix socket's folder, ours alone, and removes what an ended process has left there.

    It blocks, and is called before anything else runs: a second process ends before it has
    said or done anything.

    Raises:
        StartError: if a process listens on it, whose clients would reach us instead, or the
            folder cannot be used.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_SECONDS)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise StartError(f"cannot use the socket {path}: {error}") from None
    raise StartError(
        f"another Portico uses the runtime folder {path.parent}: stop it or set PORTICO_RUNTIME_DIR"
    )


def require_free(host: str, port: int, variable: str) -> None:
    """Makes sure that we can listen on a TCP port.

    Args:
        host: the IP address.
        port: the port; 0 is always free.
        variable: the setting that moves it, for the message.

    Raises:
        StartError: if we cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(1)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StartError(
                f"port {port} of {host} is taken ({reason}): stop what uses it or set {variable}"
            ) from None
