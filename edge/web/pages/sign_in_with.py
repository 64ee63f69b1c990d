"""/sign-in/with: begins a sign-in at a provider."""

from __future__ import annotations

from aiohttp import web

from edge.web import federated
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.pages import sign_in
from edge.web.paths import SIGN_IN
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """There is nothing to be seen here."""
    if visit.alert:
        return await sign_in.show(visit)
    return visit.redirect(visit.link(SIGN_IN))


async def post(visit: Visit) -> web.StreamResponse:
    """Sends the browser to the provider."""
    try:
        return await federated.begin(visit, visit.form.get("connection_id", ""))
    except CoreError as error:
        visit.refuse(error)
        visit.errors = {}
        return await sign_in.show(visit)


PAGE = Page(get, post)
