"""/account/security/remove: one factor less, after a question."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web
from portico.factors.v1 import factor_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.pages.account.security.listing import find_factor
from edge.web.paths import ACCOUNT_SECURITY
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The question."""
    user = await visit.load_user()
    factor, number = await find_factor(visit)
    if factor is None:
        return visit.redirect(ACCOUNT_SECURITY)
    return visit.render(
        "account/security/remove.html", user=user, factor=factor, is_last=number == 1
    )


async def post(visit: Visit) -> web.StreamResponse:
    """Removes it."""
    await visit.load_user()
    try:
        with suppress(_GoneError):
            await _remove(visit)
    except CoreError as error:
        visit.refuse(error)
        visit.errors = {}
        if error.reason == "FACTOR_REQUIRED":
            visit.alert = visit.t("security.required")
        return await get(visit)
    return visit.redirect(ACCOUNT_SECURITY, notice="factor-removed")


class _GoneError(Exception):
    """There is no such factor; another window may have removed it."""


async def _remove(visit: Visit) -> None:
    request = pb.DeleteFactorRequest(factor_id=visit.value("factor_id"))
    try:
        await visit.ask_as_person(visit.site.core.factors.DeleteFactor, request)
    except CoreError as error:
        if error.reason in ("FACTOR_NOT_FOUND", "VALIDATION_ERROR"):
            raise _GoneError from None
        raise


PAGE = Page(get, post)
