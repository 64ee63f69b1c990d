"""A certified OpenID provider (npm oidc-provider) on this machine, and a person in front of it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp

from portico_kit.testing.ports import free_port
from tests.node import node_modules

PACKAGE = Path(__file__).parent
CLIENT_ID = "portico"
CLIENT_SECRET = "a secret of the certified provider's client"
START_SECONDS = 30
_FORM = re.compile(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
_INPUT = re.compile(r"<input[^>]*>")
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class CertifiedProvider:
    """A running provider.

    Attributes:
        callback: where it sends browsers back to.
    """

    issuer: str
    callback: str

    async def sign_in(self, url: str, login: str, session: aiohttp.ClientSession) -> dict[str, str]:
        """Goes through its pages as somebody, and gives what the browser is sent back with."""
        method, form = "GET", None
        for _ in range(20):
            answer = await session.request(method, url, data=form, allow_redirects=False)
            text = await answer.text()
            if answer.status in (302, 303):
                url, method, form = urljoin(url, answer.headers["location"]), "GET", None
                if url.startswith(self.callback):
                    query = parse_qs(urlsplit(url).query)
                    return {name: values[0] for name, values in query.items()}
                continue
            assert answer.status == 200, text
            action, form = _form(text)
            url, method = urljoin(url, action), "POST"
            if "login" in form:
                form |= {"login": login, "password": "whatever"}
        raise AssertionError("it did not send the browser back")

    async def sign_out(self, session: aiohttp.ClientSession) -> None:
        """Ends the session there; it tells its clients."""
        answer = await session.get(f"{self.issuer}/session/end")
        action, form = _form(await answer.text())
        done = await session.post(urljoin(self.issuer, action), data={**form, "logout": "yes"})
        assert done.status == 200, await done.text()


def _form(text: str) -> tuple[str, dict[str, str]]:
    """Where the first form of a page goes, and what stands in it."""
    found = _FORM.search(text)
    assert found, text
    inputs = [dict(_ATTRIBUTE.findall(each)) for each in _INPUT.findall(found[2])]
    named = {each["name"]: unescape(each.get("value", "")) for each in inputs if "name" in each}
    return unescape(found[1]), named


def browser() -> aiohttp.ClientSession:
    """A browser with an empty cookie jar."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


@asynccontextmanager
async def certified_provider(
    callback: str, logout_uri: str, folder: Path
) -> AsyncIterator[CertifiedProvider]:
    """Runs the provider.

    Args:
        callback: where it may send browsers back to.
        logout_uri: where it sends logout tokens to.
        folder: an empty one.
    """
    modules = await asyncio.to_thread(node_modules, PACKAGE)
    shutil.copy(PACKAGE / "provider.mjs", folder)
    (folder / "node_modules").symlink_to(modules)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "node",
        "provider.mjs",
        cwd=folder,
        env={
            **os.environ,
            "PORT": str(port),
            "REDIRECT_URI": callback,
            "LOGOUT_URI": logout_uri,
            "CLIENT_SECRET": CLIENT_SECRET,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=(folder / "stderr").open("wb"),
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            while (line := await process.stdout.readline()) != b"ready\n":
                assert line, (folder / "stderr").read_text()
        yield CertifiedProvider(f"http://127.0.0.1:{port}", callback)
    finally:
        process.terminate()
        await process.wait()
