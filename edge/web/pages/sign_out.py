"""/sign-out: ends the session, in the core and in the browser."""

from __future__ import annotations

from aiohttp import web

from edge.web import signing_out
from edge.web.page import Page
from edge.web.paths import SIGN_IN
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """A button: a link from anywhere must not sign anybody out."""
    if not visit.session_cookie:
        return visit.redirect(SIGN_IN)
    return visit.render("sign_out.html")


async def post(visit: Visit) -> web.StreamResponse:
    """Signs out. If the core does not answer the person stays signed in, and is told so."""
    # Not "cookies": the one of the device stays.
    visit.put_header("Clear-Site-Data", '"cache", "storage"')
    return await signing_out.finish(visit, "signed-out")


PAGE = Page(get, post)
