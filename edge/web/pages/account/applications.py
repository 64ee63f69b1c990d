"""/account/applications: what the person has let applications do, and how to take it back."""

from __future__ import annotations

from aiohttp import web
from portico.oauth.v1 import grant_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import ACCOUNT_APPLICATIONS
from edge.web.visit import Visit

PAGE_SIZE = 20


async def get(visit: Visit) -> web.StreamResponse:
    """The grants, newest first."""
    try:
        return await _show(visit)
    except CoreError as error:
        # The address of a page of the list may be old; the list begins at its beginning then.
        if error.reason == "VALIDATION_ERROR" and "cursor" in visit.request.query:
            return visit.redirect(ACCOUNT_APPLICATIONS)
        raise


async def _show(visit: Visit) -> web.StreamResponse:
    user = await visit.load_user()
    request = pb.ListGrantsRequest(limit=PAGE_SIZE, cursor=visit.request.query.get("cursor", ""))
    answer = await visit.ask_as_person(visit.site.core.grants.ListGrants, request)
    return visit.render(
        "account/applications.html",
        user=user,
        grants=answer.grants,
        next_cursor=answer.next_cursor,
    )


async def post(visit: Visit) -> web.StreamResponse:
    """Withdraws one."""
    request = pb.RevokeGrantRequest(grant_id=visit.form.get("withdraw", ""))
    try:
        await visit.ask_as_person(visit.site.core.grants.RevokeGrant, request)
    except CoreError as error:
        # Another window may have withdrawn it.
        if error.reason not in ("GRANT_NOT_FOUND", "VALIDATION_ERROR"):
            raise
    return visit.redirect(ACCOUNT_APPLICATIONS, notice="grant-withdrawn")


PAGE = Page(get, post)
