"""/sign-in: address and password."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb

from edge.web import cookies
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.redirects import is_own
from edge.web.sessions import SignedOutError
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The form; whoever is signed in is sent on."""
    if visit.session_cookie:
        if await visit.is_signed_in():
            return _onward(visit)
        visit.drop_cookie(cookies.SESSION)
    return visit.render("sign_in.html")


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
    """Signs in. The session is a new one each time, and so is what the browser holds of it."""
    if visit.lacks("email", "password"):
        return visit.render("sign_in.html")
    try:
        login = await visit.ask(visit.site.core.auth.Login, _login_request(visit))
        cookie = await visit.site.sessions.start(login, visit.caller)
    except CoreError as error:
        visit.refuse(error)
        return visit.render("sign_in.html")
    await _end_former_session(visit)
    place = visit.return_to or visit.site.places.accept(cookies.get(visit.request, cookies.RETURN))
    visit.put_cookie(cookies.SESSION, cookie, cookies.SESSION_SECONDS)
    visit.put_cookie(cookies.DEVICE, login.device_token, cookies.DEVICE_SECONDS)
    visit.drop_cookie(cookies.FORM)
    visit.drop_cookie(cookies.RETURN)
    return visit.leave(place)


def _login_request(visit: Visit) -> pb.LoginRequest:
    return pb.LoginRequest(
        email=visit.form["email"].strip(),
        password=visit.form["password"],
        device_token=cookies.get(visit.request, cookies.DEVICE),
    )


async def _end_former_session(visit: Visit) -> None:
    """Ends the session that the browser held: nothing could name it any more."""
    if visit.session_cookie:
        with suppress(CoreError, SignedOutError):
            await visit.ask_as_person(visit.site.core.auth.Logout, pb.LogoutRequest())
        visit.site.sessions.forget(visit.session_cookie)


PAGE = Page(get, post)
