"""/account/email: the address, and another one in its place."""

from __future__ import annotations

from aiohttp import web
from portico.email_changes.v1 import email_change_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import ACCOUNT_EMAIL
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The address and the form."""
    return visit.render("account/email.html", user=await visit.load_user())


async def post(visit: Visit) -> web.StreamResponse:
    """Asks for the change. The address stays until the mail to the new one is followed."""
    await visit.load_user()
    if visit.lacks("new_email", "current_password"):
        return await get(visit)
    request = pb.RequestEmailChangeRequest(
        new_email=visit.form["new_email"].strip(),
        current_password=visit.form["current_password"],
    )
    try:
        await visit.ask_as_person(visit.site.core.email_changes.RequestEmailChange, request)
    except CoreError as error:
        visit.refuse(error)
        return await get(visit)
    return visit.redirect(ACCOUNT_EMAIL, notice="email-change-sent")


PAGE = Page(get, post)
