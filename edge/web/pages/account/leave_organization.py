"""/account/organizations/leave: ends the person's own membership, after a question."""

from __future__ import annotations

from aiohttp import web
from portico.organizations.v1 import organization_service_pb2 as pb
from portico.organizations.v1.organization_pb2 import Organization

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import ACCOUNT_ORGANIZATIONS
from edge.web.visit import Visit

AT_ONCE = 100


async def get(visit: Visit) -> web.StreamResponse:
    """The question."""
    user = await visit.load_user()
    organization = await _find(visit, visit.value("organization_id"))
    if organization is None:
        return visit.redirect(ACCOUNT_ORGANIZATIONS)
    return visit.render("account/leave_organization.html", user=user, organization=organization)


async def post(visit: Visit) -> web.StreamResponse:
    """Leaves it. The last owner cannot."""
    await visit.load_user()
    request = pb.LeaveOrganizationRequest(organization_id=visit.value("organization_id"))
    try:
        await visit.ask_as_person(visit.site.core.organizations.LeaveOrganization, request)
    except CoreError as error:
        visit.refuse(error)
        visit.errors = {}
        return await get(visit)
    visit.site.sessions.forget(visit.session_cookie)
    return visit.redirect(ACCOUNT_ORGANIZATIONS, notice="organization-left")


async def _find(visit: Visit, organization_id: str) -> Organization | None:
    """The organization, if the person is a member."""
    cursor = ""
    while True:
        answer = await visit.ask_as_person(
            visit.site.core.organizations.ListOrganizations,
            pb.ListOrganizationsRequest(limit=AT_ONCE, cursor=cursor),
        )
        for organization in answer.organizations:
            if organization.id == organization_id:
                return organization
        cursor = answer.next_cursor
        if not cursor:
            return None


PAGE = Page(get, post)
