"""/sign-in: address and password."""

from __future__ import annotations

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb

from edge.web import cookies, federated, signing_in
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.pages import sign_in_verify
from edge.web.redirects import is_own
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The form; whoever is signed in is sent on."""
    if visit.session_cookie:
        if await visit.is_signed_in():
            return _onward(visit)
        visit.drop_cookie(cookies.SESSION)
    return await show(visit)


async def show(visit: Visit, unknown_passkey: str = "") -> web.StreamResponse:
    """The page.

    Args:
        unknown_passkey: what the script reports of a passkey that no account has, as JSON.
    """
    return visit.render_with_script(
        "sign_in.html",
        unknown_passkey=unknown_passkey,
        options=await federated.offered(visit),
    )


def _onward(visit: Visit) -> web.StreamResponse:
    """On to where the person wants to be.

    Another origin is reached from a page of its own: after a form, Chromium holds redirects
    to the policy for forms, and the person sees where they are being sent.
    """
    place = visit.return_to
    if place is None or is_own(place):
        return visit.leave(place)
    return visit.render("leaving.html", place=place)


async def post(visit: Visit) -> web.StreamResponse:
    """Signs in, or goes on to the second factor of people who have one."""
    if visit.lacks("email", "password"):
        return await show(visit)
    try:
        login = await visit.ask(visit.site.core.auth.Login, _login_request(visit))
        visit.put_cookie(cookies.DEVICE, login.device_token, cookies.DEVICE_SECONDS)
        if login.mfa_required:
            return sign_in_verify.begin(visit, login.challenge, login.methods)
        return await signing_in.finish(visit, login.refresh_token)
    except CoreError as error:
        visit.refuse(error)
        return await show(visit)


def _login_request(visit: Visit) -> pb.LoginRequest:
    return pb.LoginRequest(
        email=visit.form["email"].strip(),
        password=visit.form["password"],
        device_token=cookies.get(visit.request, cookies.DEVICE),
    )


PAGE = Page(get, post)
