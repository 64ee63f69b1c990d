"""The pages as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from edge.serve import run
from edge.web.app import build
from edge.web.assets import load_assets
from edge.web.core_client import CoreClient, connect
from edge.web.forms import FormTokens
from edge.web.languages import load_catalogs
from edge.web.redirects import ReturnPlaces
from edge.web.rendering import Templates
from edge.web.sealing import Seals
from edge.web.sessions import BrowserSessions
from edge.web.settings import WebSettings
from edge.web.visit import Site
from portico_kit import logs
from portico_kit.settings import read
from portico_kit.start import claim_socket, one_line

# What was accepted may take so long when the process stops: as long as the core may take.
GRACE_SECONDS = 7.0
# The gateway closes idle connections first (clusters.py), so that none of its requests meets
# one that is being closed.
KEEPALIVE_SECONDS = 120.0


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    settings = read(WebSettings)
    logs.configure("web", settings.log_level)
    with one_line("web"):
        claim_socket(settings.web_socket)
        run(lambda: pages(settings))


@asynccontextmanager
async def pages(settings: WebSettings) -> AsyncIterator[None]:
    """Builds the parts and serves while the context is entered."""
    channel = connect(settings.core_socket)
    runner = web.AppRunner(
        build(make_site(settings, CoreClient(channel))),
        access_log=None,
        handle_signals=False,
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=GRACE_SECONDS,
    )
    try:
        await runner.setup()
        await listen(runner, settings.web_socket)
        yield
    finally:
        await runner.cleanup()
        await channel.close()


def make_site(settings: WebSettings, core: CoreClient) -> Site:
    """Reads templates, texts and files, and puts together what the pages share."""
    internal_token = settings.internal_token.get_secret_value()
    assets = load_assets(settings.brand_color, settings.logo_file)
    return Site(
        settings=settings,
        core=core,
        sessions=BrowserSessions(core, internal_token),
        form_tokens=FormTokens(internal_token),
        seals=Seals(internal_token),
        places=ReturnPlaces(settings.return_urls),
        catalogs=load_catalogs(),
        templates=Templates(product=settings.product_name, assets=assets),
        assets=assets,
    )


async def listen(runner: web.AppRunner, path: Path) -> None:
    """Listens on a unix socket that only our own processes may open."""
    await web.UnixSite(runner, path).start()
    await asyncio.to_thread(path.chmod, 0o600)
