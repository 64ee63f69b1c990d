"""/: the account of whoever is signed in, else the sign-in."""

from __future__ import annotations

from aiohttp import web

from edge.web.page import Page
from edge.web.paths import ACCOUNT, SIGN_IN
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """Sends the browser on; the account itself looks whether the session holds."""
    return visit.redirect(ACCOUNT if visit.session_cookie else SIGN_IN)


PAGE = Page(get)
