"""/sign-in/single-sign-on: finds the sign-in of an organization by an address."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web
from portico.connections.v1 import federated_sign_in_service_pb2 as pb

from edge.web import federated
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """Asks for the address."""
    return _show(visit)


async def post(visit: Visit) -> web.StreamResponse:
    """Sends the browser to the only sign-in that there is, or lets the person choose."""
    if visit.lacks("email"):
        return _show(visit)
    try:
        options = await federated.list_options(visit, visit.form["email"].strip())
        own = [option for option in options if option.organization]
        if len(own) == 1:
            return await federated.begin(visit, own[0].connection_id)
    except CoreError as error:
        visit.refuse(error)
        return _show(visit)
    if not own:
        visit.status = int(HTTPStatus.UNPROCESSABLE_ENTITY)
        visit.alert = visit.t("refusals.VALIDATION_ERROR")
        visit.errors = {"email": visit.t("single_sign_on.none")}
    return _show(visit, own)


def _show(visit: Visit, options: Sequence[pb.SignInOption] = ()) -> web.StreamResponse:
    return visit.render("single_sign_on.html", options=options)


PAGE = Page(get, post)
