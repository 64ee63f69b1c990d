"""/account/security/recovery-codes: new ones, which are shown once."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from portico.factors.v1 import factor_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.pages.account.security.listing import list_factors
from edge.web.paths import ACCOUNT_SECURITY
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """How many are left, and what new ones mean."""
    user = await visit.load_user()
    answer = await list_factors(visit)
    if not answer.factors:
        return visit.redirect(ACCOUNT_SECURITY)
    return visit.render(
        "account/security/recovery_codes.html", user=user, codes_left=answer.recovery_codes_left
    )


async def post(visit: Visit) -> web.StreamResponse:
    """Makes them. They stand in this one answer and nowhere else."""
    await visit.load_user()
    try:
        answer = await visit.ask_as_person(
            visit.site.core.factors.CreateRecoveryCodes, pb.CreateRecoveryCodesRequest()
        )
    except CoreError as error:
        visit.refuse(error)
        return await get(visit)
    return show_codes(visit, answer.recovery_codes)


def show_codes(visit: Visit, codes: Sequence[str], *, added: str = "") -> web.StreamResponse:
    """The page with the codes.

    Args:
        added: the name of the factor that the person has just added, their first one.
    """
    return visit.render(
        "account/security/new_codes.html", user=visit.user, codes=codes, added=added
    )


PAGE = Page(get, post)
