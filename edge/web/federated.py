"""Signing in with others: what is offered, and how a browser is sent there."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web
from portico.connections.v1 import federated_sign_in_service_pb2 as pb

from edge.web import cookies
from edge.web.core_client import CoreError
from edge.web.visit import Visit

# The longest address to come back to that the core keeps.
MAX_RETURN = 500
# Longer ones are none of ours.
MAX_TOKEN = 100


async def list_options(visit: Visit, email: str = "") -> Sequence[pb.SignInOption]:
    """With what people can sign in; those of the organization of an address first.

    Raises:
        CoreError: if the core refuses or does not answer.
    """
    request = pb.ListSignInOptionsRequest(email=email)
    return (await visit.ask(visit.site.core.federated.ListSignInOptions, request)).options


async def offered(visit: Visit) -> Sequence[pb.SignInOption]:
    """With what everybody can sign in. A page without these buttons is better than none."""
    try:
        return await list_options(visit)
    except CoreError:
        return ()


async def begin(visit: Visit, connection_id: str) -> web.StreamResponse:
    """Begins a sign-in, and sends the browser to where it goes on.

    Raises:
        CoreError: if the core or the provider refuses or does not answer.
    """
    request = pb.BeginFederatedSignInRequest(
        connection_id=connection_id,
        browser_token=browser_token(visit),
        login_hint=visit.form.get("email", "").strip(),
        return_to=_path_to(visit.return_to),
    )
    answer = await visit.ask(visit.site.core.federated.BeginFederatedSignIn, request)
    if place := visit.return_to:
        # For what the core does not bring back: after a refusal, or a mail.
        visit.put_cookie(cookies.RETURN, place, cookies.FEDERATED_SECONDS)
    return lead_on(visit, answer.browser_token, answer.authorization_url)


def lead_on(visit: Visit, token: str, url: str) -> web.StreamResponse:
    """Sends the browser to a provider, from a page: see `Visit.leave`.

    Args:
        token: what the browser keeps until it comes back.
        url: where the provider asks the person.
    """
    visit.put_cookie(cookies.FEDERATED, token, cookies.FEDERATED_SECONDS)
    return visit.render("to_provider.html", place=url)


def browser_token(visit: Visit) -> str:
    """What the browser keeps of sign-ins that it has begun; empty if there are none."""
    token = cookies.get(visit.request, cookies.FEDERATED)
    return token if len(token) <= MAX_TOKEN else ""


def _path_to(place: str | None) -> str:
    """A place as the core carries it through the browser, sealed: each tab has its own.

    One that is too long is in the cookie alone.
    """
    path = f"/?{urlencode({'return_to': place})}" if place else ""
    return path if len(path) <= MAX_RETURN else ""


def place_of(path: str) -> str:
    """The place that `begin` has given to the core; empty if there is none."""
    return dict(parse_qsl(urlsplit(path).query)).get("return_to", "")
