"""/account/password: another password."""

from __future__ import annotations

from aiohttp import web
from portico.users.v1 import user_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import ACCOUNT_PASSWORD
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The form."""
    return visit.render("account/password.html", user=await visit.load_user())


async def post(visit: Visit) -> web.StreamResponse:
    """Changes it. All other sessions have ended then."""
    await visit.load_user()
    if visit.lacks("current_password", "new_password"):
        return await get(visit)
    request = pb.ChangePasswordRequest(
        current_password=visit.form["current_password"], new_password=visit.form["new_password"]
    )
    try:
        await visit.ask_as_person(visit.site.core.users.ChangePassword, request)
    except CoreError as error:
        visit.refuse(error)
        return await get(visit)
    return visit.redirect(ACCOUNT_PASSWORD, notice="password-changed")


PAGE = Page(get, post)
