"""/account: who is signed in."""

from __future__ import annotations

from aiohttp import web

from edge.web.page import Page
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """Name and address."""
    return visit.render("account.html", user=await visit.load_user())


PAGE = Page(get)
