"""/account/identities/unlink: one way to sign in less, after a question."""

from __future__ import annotations

from aiohttp import web
from portico.connections.v1 import identity_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.pages.account.identities import list_identities
from edge.web.paths import ACCOUNT_IDENTITIES
from edge.web.visit import Visit

_GONE = ("IDENTITY_NOT_FOUND", "VALIDATION_ERROR")


async def get(visit: Visit) -> web.StreamResponse:
    """The question."""
    user = await visit.load_user()
    wanted = visit.value("identity_id")
    identity = next((each for each in await list_identities(visit) if each.id == wanted), None)
    if identity is None:
        return visit.redirect(ACCOUNT_IDENTITIES)
    return visit.render("account/unlink_identity.html", user=user, identity=identity)


async def post(visit: Visit) -> web.StreamResponse:
    """Unlinks it; another window may have done that a moment ago."""
    await visit.load_user()
    request = pb.UnlinkIdentityRequest(identity_id=visit.value("identity_id"))
    try:
        await visit.ask_as_person(visit.site.core.identities.UnlinkIdentity, request)
    except CoreError as error:
        if error.reason not in _GONE:
            visit.refuse(error)
            visit.errors = {}
            return await get(visit)
    return visit.redirect(ACCOUNT_IDENTITIES, notice="identity-unlinked")


PAGE = Page(get, post)
