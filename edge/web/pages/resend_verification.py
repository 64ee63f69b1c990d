"""/resend-verification: asks for another mail that verifies an address."""

from __future__ import annotations

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import RESEND_VERIFICATION
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The form; after it, that a mail is on its way if one is needed."""
    if visit.request.method != "POST" and "sent" in visit.request.query:
        return visit.render("verification_sent.html")
    return visit.render("resend_verification.html")


async def post(visit: Visit) -> web.StreamResponse:
    """Asks for the mail. Nobody learns here whether the address has an account."""
    if visit.lacks("email"):
        return visit.render("resend_verification.html")
    request = pb.ResendVerificationRequest(email=visit.form["email"].strip())
    try:
        await visit.ask(visit.site.core.auth.ResendVerification, request)
    except CoreError as error:
        visit.refuse(error)
        return visit.render("resend_verification.html")
    return visit.redirect(RESEND_VERIFICATION, sent="yes")


PAGE = Page(get, post)
