"""/account/security: what the person has beside the password."""

from __future__ import annotations

from aiohttp import web

from edge.web.page import Page
from edge.web.pages.account.security.listing import list_factors
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The list, and what can be added."""
    user = await visit.load_user()
    answer = await list_factors(visit)
    return visit.render(
        "account/security/factors.html",
        user=user,
        factors=answer.factors,
        codes_left=answer.recovery_codes_left,
    )


PAGE = Page(get)
