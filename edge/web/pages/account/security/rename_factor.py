"""/account/security/rename: another name for a factor."""

from __future__ import annotations

from aiohttp import web
from portico.factors.v1 import factor_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.pages.account.security.listing import find_factor
from edge.web.paths import ACCOUNT_SECURITY
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The form."""
    user = await visit.load_user()
    factor, _ = await find_factor(visit)
    if factor is None:
        return visit.redirect(ACCOUNT_SECURITY)
    name = visit.form.get("name", factor.name)
    return visit.render("account/security/rename.html", user=user, factor=factor, shown=name)


async def post(visit: Visit) -> web.StreamResponse:
    """Saves the name."""
    await visit.load_user()
    if visit.lacks("name"):
        return await get(visit)
    request = pb.UpdateFactorRequest(
        factor_id=visit.value("factor_id"), name=visit.form["name"].strip()
    )
    try:
        await visit.ask_as_person(visit.site.core.factors.UpdateFactor, request)
    except CoreError as error:
        visit.refuse(error)
        return await get(visit)
    return visit.redirect(ACCOUNT_SECURITY, notice="saved")


PAGE = Page(get, post)
