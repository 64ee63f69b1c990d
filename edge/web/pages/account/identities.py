"""/account/identities: the accounts at providers with which the person can sign in."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from portico.connections.v1 import identity_service_pb2 as pb

from edge.web import federated
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.visit import Visit


async def list_identities(visit: Visit) -> Sequence[pb.Identity]:
    """What is linked, oldest first.

    Raises:
        SignedOutError: if nobody is signed in.
        CoreError: if the core refuses or does not answer.
    """
    answer = await visit.ask_as_person(
        visit.site.core.identities.ListIdentities, pb.ListIdentitiesRequest()
    )
    return answer.identities


async def get(visit: Visit) -> web.StreamResponse:
    """The list, and what can be linked."""
    user = await visit.load_user()
    linked = await list_identities(visit)
    present = {identity.connection_id for identity in linked}
    options = await federated.list_options(visit, user.email)
    return visit.render(
        "account/identities.html",
        user=user,
        identities=linked,
        options=[option for option in options if option.connection_id not in present],
    )


async def post(visit: Visit) -> web.StreamResponse:
    """Sends the browser to a provider, to link an account there."""
    await visit.load_user()
    request = pb.BeginLinkRequest(
        connection_id=visit.form.get("connection_id", ""),
        browser_token=federated.browser_token(visit),
    )
    try:
        answer = await visit.ask_as_person(visit.site.core.identities.BeginLink, request)
    except CoreError as error:
        visit.refuse(error)
        visit.errors = {}
        return await get(visit)
    return federated.lead_on(visit, answer.browser_token, answer.authorization_url)


PAGE = Page(get, post)
