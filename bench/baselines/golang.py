"""Builds the baselines in Go, where there is a toolchain, once for each machine."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

RATELIMIT = "github.com/envoyproxy/ratelimit/src/service_cmd@latest"
HYDRA = "github.com/ory/hydra/v2"
HYDRA_VERSION = "v2.3.0"
# Hydra builds with a fork of what its module asks for.
POP = "github.com/gobuffalo/pop/v6=github.com/ory/pop/v6@v6.2.1-0.20241121111754-e5dfc0f3344b"
BUILD_SECONDS = 240
# It is many times larger.
HYDRA_SECONDS = 900


async def build_ratelimit() -> str | None:
    """The path of envoyproxy/ratelimit; None where it cannot be built."""
    folder = await asyncio.to_thread(_cache)
    install = [("install", RATELIMIT)]
    environment = {"GOBIN": str(folder)}
    return await _built(folder / "service_cmd", install, BUILD_SECONDS, environment)


async def build_hydra() -> str | None:
    """The path of Hydra; None where it cannot be built."""
    folder = await asyncio.to_thread(_cache) / f"hydra-{HYDRA_VERSION}"
    steps = [
        ("mod", "init", "portico.test/hydra"),
        ("mod", "edit", f"-replace={POP}"),
        ("get", "-tool", f"{HYDRA}@{HYDRA_VERSION}"),
        ("build", "-o", "hydra", HYDRA),
    ]
    return await _built(folder / "hydra", steps, HYDRA_SECONDS, {"CGO_ENABLED": "1"})


async def _built(
    binary: Path, steps: Sequence[tuple[str, ...]], seconds: float, environment: Mapping[str, str]
) -> str | None:
    if await asyncio.to_thread(binary.is_file):
        return str(binary)
    go = shutil.which("go", path=os.pathsep.join([os.environ["PATH"], "/usr/local/go/bin"]))
    if go is None:
        return None
    await asyncio.to_thread(_empty, binary.parent)
    for step in steps:
        if not await _succeeds((go, *step), binary.parent, seconds, environment):
            return None
    return str(binary)


async def _succeeds(
    command: tuple[str, ...], folder: Path, seconds: float, environment: Mapping[str, str]
) -> bool:
    building = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(seconds):
            return await building.wait() == 0
    except TimeoutError:
        building.kill()
        await building.wait()
        return False


def _empty(folder: Path) -> None:
    """A folder without the module of a build that was broken off."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("go.mod", "go.sum"):
        (folder / name).unlink(missing_ok=True)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "portico-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
