"""/invitations/accept: the link of the mail. What is offered, and a button for yes and for no."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus

from aiohttp import web
from portico.organizations.v1 import organization_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import ACCEPT_INVITATION, ACCOUNT_ORGANIZATIONS
from edge.web.sessions import SignedOutError
from edge.web.visit import Visit

# Reasons that say of the invitation itself that it is over; the page then shows its status.
OVER = frozenset(
    {
        "INVITATION_ALREADY_USED",
        "INVITATION_DECLINED",
        "INVITATION_EXPIRED",
        "INVITATION_REVOKED",
    }
)


async def get(visit: Visit) -> web.StreamResponse:
    """What the invitation offers, and what the person can do about it."""
    token = visit.value("token")
    with suppress(SignedOutError):
        await visit.load_user()
    try:
        request = pb.PreviewInvitationRequest(token=token)
        offer = await visit.ask(visit.site.core.organizations.PreviewInvitation, request)
    except CoreError as error:
        if error.is_outage or error.reason == "RATE_LIMIT_EXCEEDED":
            raise
        visit.status = int(HTTPStatus.NOT_FOUND)
        return visit.render("invitation_over.html", status="unknown", offer=None)
    if offer.status != "pending":
        return visit.render("invitation_over.html", status=offer.status, offer=offer)
    return visit.render("invitation.html", offer=offer, token=token, case=_case(visit, offer))


def _case(visit: Visit, offer: pb.PreviewInvitationResponse) -> str:
    """Who is looking at it."""
    if visit.user is None:
        return "nobody"
    return "addressee" if visit.user.email == offer.email else "somebody_else"


async def post(visit: Visit) -> web.StreamResponse:
    """Accepts or declines."""
    try:
        if visit.value("decision") == "decline":
            return await _decline(visit)
        return await _accept(visit)
    except CoreError as error:
        # The status is shown by the page, which asks for it again.
        if error.reason not in OVER:
            visit.refuse(error)
            visit.errors = {}
        return await get(visit)


async def _accept(visit: Visit) -> web.StreamResponse:
    request = pb.AcceptInvitationRequest(token=visit.value("token"))
    try:
        await visit.ask_as_person(visit.site.core.organizations.AcceptInvitation, request)
    except SignedOutError:
        return visit.redirect(ACCEPT_INVITATION, token=visit.value("token"))
    return visit.redirect(ACCOUNT_ORGANIZATIONS, notice="joined")


async def _decline(visit: Visit) -> web.StreamResponse:
    request = pb.DeclineInvitationRequest(token=visit.value("token"))
    await visit.ask(visit.site.core.organizations.DeclineInvitation, request)
    return visit.redirect(ACCEPT_INVITATION, token=visit.value("token"))


PAGE = Page(get, post)
