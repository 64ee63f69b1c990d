"""The worker and beat as the processes that they are, for tests that break them."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from cli.run.process import Child, Command, spawn
from cli.run.watchdog import Watchdog
from portico_kit.tasks.notifier import WORKERS_ALIVE, CeleryTaskNotifier
from portico_kit.testing.waiting import eventually
from tests.stack import environment_for


@dataclass(frozen=True)
class Platform:
    """What a worker is told, and the parts that it meets there.

    Attributes:
        folder: where the processes keep their state and logs.
        output: where they write what they log, if not into those.
    """

    folder: Path
    watchdog: Watchdog
    database_url: str
    valkey_url: str
    master_key: bytes
    output: Path | None = None

    @asynccontextmanager
    async def running(self, *names: str, **variables: str) -> AsyncIterator[list[Child]]:
        """Processes of ours by their command, up as long as the block lasts."""
        children = [await self._spawn(name, variables) for name in names]
        try:
            yield children
        finally:
            for child in children:
                await child.kill()

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Child]:
        """A worker that has shown that it is alive."""
        async with self.running("worker") as (child,):
            await self.alive()
            yield child

    async def alive(self, within: float = 60.0) -> None:
        """Waits until a worker shows that it is alive."""
        async with Redis.from_url(self.valkey_url) as valkey:
            await valkey.delete(WORKERS_ALIVE)

            async def shown() -> bool:
                return bool(await valkey.exists(WORKERS_ALIVE))

            await eventually(shown, within)

    def log(self, name: str) -> list[dict[str, Any]]:
        """What a process has logged."""
        text = (self.folder / f"{name}.log").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def notifier(self) -> CeleryTaskNotifier:
        """What the core wakes the workers with."""
        return CeleryTaskNotifier(self.valkey_url)

    async def _spawn(self, name: str, variables: dict[str, str]) -> Child:
        environment = environment_for(
            self.folder,
            {
                "PORTICO_DATABASE_URL": self.database_url,
                "PORTICO_REDIS_URL": self.valkey_url,
                "PORTICO_SECRET_KEY": base64.b64encode(self.master_key).decode(),
                **variables,
            },
        )
        command = Command(
            name=name,
            arguments=(*self._redirection(), sys.executable, "-m", "cli", name),
            log=self.folder / f"{name}.log",
            environment={key: value for key, value in environment.items() if value},
        )
        return await spawn(command, self.watchdog)

    def _redirection(self) -> tuple[str, ...]:
        if self.output is None:
            return ()
        return ("sh", "-c", f'exec "$0" "$@" >{self.output} 2>&1')
