"""/forgot-password: asks for a mail with a link to choose a new password."""

from __future__ import annotations

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb

from edge.web import cookies
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import FORGOT_PASSWORD
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The form; after it, that a mail is on its way if there is such an account."""
    if visit.request.method != "POST" and "sent" in visit.request.query:
        return visit.render("reset_sent.html")
    return visit.render("forgot_password.html")


async def post(visit: Visit) -> web.StreamResponse:
    """Asks for the mail. Nobody learns here whether the address has an account."""
    if visit.lacks("email"):
        return visit.render("forgot_password.html")
    request = pb.ForgotPasswordRequest(email=visit.form["email"].strip())
    try:
        await visit.ask(visit.site.core.auth.ForgotPassword, request)
    except CoreError as error:
        visit.refuse(error)
        return visit.render("forgot_password.html")
    if place := visit.return_to:
        visit.put_cookie(cookies.RETURN, place, cookies.RETURN_SECONDS)
    return visit.redirect(FORGOT_PASSWORD, sent="yes")


PAGE = Page(get, post)
