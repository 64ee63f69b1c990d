"""/sign-out: ends the session, in the core and in the browser."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb

from edge.web import cookies
from edge.web.page import Page
from edge.web.paths import SIGN_IN
from edge.web.sessions import SignedOutError
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """A button: a link from anywhere must not sign anybody out."""
    if not visit.session_cookie:
        return visit.redirect(SIGN_IN)
    return visit.render("sign_out.html")


async def post(visit: Visit) -> web.StreamResponse:
    """Signs out. If the core does not answer the person stays signed in, and is told so."""
    with suppress(SignedOutError):
        await visit.ask_as_person(visit.site.core.auth.Logout, pb.LogoutRequest())
    visit.site.sessions.forget(visit.session_cookie)
    visit.drop_cookie(cookies.SESSION)
    # Not "cookies": the one of the device stays.
    visit.put_header("Clear-Site-Data", '"cache", "storage"')
    place = visit.return_to
    return visit.redirect(SIGN_IN, notice="signed-out", **({"return_to": place} if place else {}))


PAGE = Page(get, post)
