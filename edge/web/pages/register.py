"""/register: a new account."""

from __future__ import annotations

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb

from edge.web import cookies, federated
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import VERIFY_EMAIL
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The form."""
    return await _show(visit)


async def _show(visit: Visit) -> web.StreamResponse:
    return visit.render("register.html", options=await federated.offered(visit))


async def post(visit: Visit) -> web.StreamResponse:
    """Registers, and remembers where the person wants to go until they have followed the mail."""
    if visit.lacks("display_name", "email", "password", "accepted_terms"):
        return await _show(visit)
    request = pb.RegisterRequest(
        email=visit.form["email"].strip(),
        password=visit.form["password"],
        display_name=visit.form["display_name"].strip(),
        accepted_terms=True,
    )
    try:
        await visit.ask(visit.site.core.auth.Register, request)
    except CoreError as error:
        visit.refuse(error)
        return await _show(visit)
    if place := visit.return_to:
        visit.put_cookie(cookies.RETURN, place, cookies.RETURN_SECONDS)
    return visit.redirect(VERIFY_EMAIL)


PAGE = Page(get, post)
