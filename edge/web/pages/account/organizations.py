"""/account/organizations: where the person is a member, which one is active, and a new one."""

from __future__ import annotations

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as auth
from portico.organizations.v1 import organization_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import ACCOUNT_ORGANIZATIONS
from edge.web.visit import Visit

PAGE_SIZE = 50


async def get(visit: Visit) -> web.StreamResponse:
    """The organizations, newest first, and the form for a new one."""
    try:
        return await _show(visit)
    except CoreError as error:
        # The address of a page of the list may be old; the list begins at its beginning then.
        if error.reason == "VALIDATION_ERROR" and "cursor" in visit.request.query:
            return visit.redirect(ACCOUNT_ORGANIZATIONS)
        raise


async def _show(visit: Visit) -> web.StreamResponse:
    user = await visit.load_user()
    request = pb.ListOrganizationsRequest(
        limit=PAGE_SIZE, cursor=visit.request.query.get("cursor", "")
    )
    answer = await visit.ask_as_person(visit.site.core.organizations.ListOrganizations, request)
    return visit.render(
        "account/organizations.html",
        user=user,
        organizations=answer.organizations,
        next_cursor=answer.next_cursor,
        active=await _active(visit),
    )


async def post(visit: Visit) -> web.StreamResponse:
    """Makes one the active one, or founds one."""
    await visit.load_user()
    chosen = visit.form.get("switch_to", "")
    try:
        if chosen:
            return await _switch(visit, chosen)
        if visit.lacks("name"):
            return await get(visit)
        return await _create(visit)
    except CoreError as error:
        visit.refuse(error)
        if chosen:
            # No field of the page is to blame.
            visit.errors = {}
        return await get(visit)


async def _switch(visit: Visit, organization_id: str) -> web.StreamResponse:
    request = auth.SwitchOrganizationRequest(organization_id=organization_id)
    await visit.ask_as_person(visit.site.core.auth.SwitchOrganization, request)
    # What is remembered names the former one.
    visit.site.sessions.forget(visit.session_cookie)
    return visit.redirect(ACCOUNT_ORGANIZATIONS, notice="organization-switched")


async def _create(visit: Visit) -> web.StreamResponse:
    request = pb.CreateOrganizationRequest(name=visit.form["name"].strip())
    await visit.ask_as_person(visit.site.core.organizations.CreateOrganization, request)
    return visit.redirect(ACCOUNT_ORGANIZATIONS, notice="organization-created")


async def _active(visit: Visit) -> str:
    """The active organization, as the access token names it; empty if none is."""
    return str((await visit.require_session()).claims.get("org", ""))


PAGE = Page(get, post)
