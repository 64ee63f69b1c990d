"""/verify-email: the link of the mail. Opening it uses nothing up: programs open links, too."""

from __future__ import annotations

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb

from edge.web import cookies
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import SIGN_IN
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The button; without a token, that there is a mail to look for."""
    if not visit.value("token"):
        return visit.render("check_mail.html")
    return visit.render("verify_email.html")


async def post(visit: Visit) -> web.StreamResponse:
    """Verifies the address."""
    if not visit.value("token"):
        return await get(visit)
    request = pb.VerifyEmailRequest(token=visit.value("token"))
    try:
        await visit.ask(visit.site.core.auth.VerifyEmail, request)
    except CoreError as error:
        visit.refuse(error)
        return visit.render("verify_email.html")
    place = visit.site.places.accept(cookies.get(visit.request, cookies.RETURN))
    return visit.redirect(SIGN_IN, notice="verified", **({"return_to": place} if place else {}))


PAGE = Page(get, post)
