"""/reset-password: the link of the mail, which is used up only by a new password."""

from __future__ import annotations

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import FORGOT_PASSWORD, SIGN_IN
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The form; without a token there is nothing to fill in."""
    if not visit.value("token"):
        return visit.redirect(FORGOT_PASSWORD)
    return visit.render("reset_password.html", is_usable=True)


async def post(visit: Visit) -> web.StreamResponse:
    """Sets the password. All sessions of the account have ended then."""
    if not visit.value("token"):
        return visit.redirect(FORGOT_PASSWORD)
    if visit.lacks("new_password"):
        return visit.render("reset_password.html", is_usable=True)
    request = pb.ResetPasswordRequest(
        token=visit.value("token"), new_password=visit.form["new_password"]
    )
    try:
        await visit.ask(visit.site.core.auth.ResetPassword, request)
    except CoreError as error:
        visit.refuse(error)
        is_usable = error.reason != "TOKEN_INVALID" and "token" not in error.violations
        return visit.render("reset_password.html", is_usable=is_usable)
    return visit.redirect(SIGN_IN, notice="password-reset")


PAGE = Page(get, post)
