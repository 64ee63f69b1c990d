"""/account/delete: the end of the account."""

from __future__ import annotations

from aiohttp import web
from portico.users.v1 import user_service_pb2 as pb

from edge.web import cookies
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import SIGN_IN
from edge.web.visit import Visit

# What the person has to do first.
OWNS_SOMETHING = ("USER_IS_LAST_OWNER", "LAST_OWNER")


async def get(visit: Visit) -> web.StreamResponse:
    """What will be gone, and the form."""
    return await _show(visit)


async def _show(visit: Visit, *, owns_something: bool = False) -> web.StreamResponse:
    user = await visit.load_user()
    return visit.render("account/delete.html", user=user, owns_something=owns_something)


async def post(visit: Visit) -> web.StreamResponse:
    """Deletes it."""
    await visit.load_user()
    if visit.lacks("current_password"):
        return await get(visit)
    request = pb.DeleteMeRequest(current_password=visit.form["current_password"])
    try:
        await visit.ask_as_person(visit.site.core.users.DeleteMe, request)
    except CoreError as error:
        visit.refuse(error)
        return await _show(visit, owns_something=error.reason in OWNS_SOMETHING)
    visit.site.sessions.forget(visit.session_cookie)
    visit.drop_cookie(cookies.SESSION)
    return visit.redirect(SIGN_IN, notice="account-deleted")


PAGE = Page(get, post)
