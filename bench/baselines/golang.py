"""Builds envoyproxy/ratelimit, where there is a Go toolchain, once for each machine."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

PACKAGE = "github.com/envoyproxy/ratelimit/src/service_cmd@latest"
BUILD_SECONDS = 240


async def build_ratelimit() -> str | None:
    """The path of its binary; None where it cannot be built."""
    folder = await asyncio.to_thread(_cache)
    binary = folder / "service_cmd"
    if await asyncio.to_thread(binary.is_file):
        return str(binary)
    go = shutil.which("go")
    if go is None or not await _install(go, folder):
        return None
    return str(binary)


async def _install(go: str, folder: Path) -> bool:
    building = await asyncio.create_subprocess_exec(
        *(go, "install", PACKAGE),
        env={**os.environ, "GOBIN": str(folder)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(BUILD_SECONDS):
            return await building.wait() == 0
    except TimeoutError:
        building.kill()
        await building.wait()
        return False


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "portico-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
