"""/oauth/logout: an application asks to sign its person out (RP-Initiated Logout 1.0).

The person is asked, unless an ID token shows that the application asks for the very session
that the browser is in: a link from anywhere must not sign anybody out.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlencode

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as auth
from portico.oauth.v1 import logout_service_pb2 as pb

from edge.web import cookies, frontchannel_logout
from edge.web.core_client import CoreError
from edge.web.oauth.errors import OAuthError
from edge.web.oauth.parameters import Pairs, Parameters, read_form, read_pairs
from edge.web.oauth.responses import MAX_ADDRESS, is_safe, refused
from edge.web.page import Page
from edge.web.paths import END_SESSION
from edge.web.sessions import SignedOutError
from edge.web.visit import Visit

# What counts of a request; the standard has others ignored.
NAMES = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
CARRIED = (*NAMES, "ui_locales")


async def get(visit: Visit) -> web.StreamResponse:
    """A request in the address."""
    try:
        given = _read(read_pairs(visit.request.rel_url.raw_query_string))
    except OAuthError as error:
        return refused(visit, error.error, error.description)
    return await _decide(visit, given)


async def post(visit: Visit) -> web.StreamResponse:
    """A request in a form, from any site: it goes on in the address.

    A browser brings the cookie of the session to an address that it is sent to, not with
    a form of another site.
    """
    try:
        given = _read(read_form(visit.request.headers, await visit.request.read()))
    except OAuthError as error:
        return refused(visit, error.error, error.description)
    place = f"{END_SESSION}?{urlencode(given)}" if given else END_SESSION
    if len(place) > MAX_ADDRESS:
        return refused(visit, "invalid_request", "The request is too long.")
    return visit.redirect(place)


async def confirm(visit: Visit) -> web.StreamResponse:
    """The person has pressed the button of the page."""
    given = {name: visit.form[name] for name in CARRIED if visit.form.get(name)}
    checked = await _look(visit, given)
    if isinstance(checked, web.StreamResponse):
        return checked
    return await _end(visit, checked)


async def to_start(visit: Visit) -> web.StreamResponse:
    """The page of the button alone has nothing to show: its form is on another one."""
    given = {name: visit.value(name) for name in CARRIED if visit.value(name)}
    return visit.redirect(END_SESSION, **given)


def _read(pairs: Pairs) -> Mapping[str, str]:
    """The parameters that count, by name.

    Raises:
        OAuthError: if one is there twice.
    """
    parameters = Parameters(pairs)
    return {name: parameters.get(name) for name in CARRIED if name in parameters}


async def _decide(visit: Visit, given: Mapping[str, str]) -> web.StreamResponse:
    is_signed_in = bool(visit.session_cookie) and await visit.is_signed_in()
    checked = await _look(visit, given)
    if isinstance(checked, web.StreamResponse):
        return checked
    if not is_signed_in:
        return await _signed_out(visit, checked)
    if not checked.confirmation_needed:
        return await _end(visit, checked)
    return visit.render("end_session.html", logout=checked, carried=given, user=visit.user)


async def _look(visit: Visit, given: Mapping[str, str]) -> pb.Logout | web.StreamResponse:
    """What is to be done; or the page that says what is wrong with the request."""
    parameters = pb.LogoutParameters(**{name: given[name] for name in NAMES if name in given})
    logouts = visit.site.core.logouts
    answer: pb.GetLogoutResponse | pb.BeginLogoutResponse
    try:
        try:
            asked = pb.GetLogoutRequest(parameters=parameters)
            answer = await visit.ask_as_person(logouts.GetLogout, asked)
        except SignedOutError:
            begun = pb.BeginLogoutRequest(parameters=parameters)
            answer = await visit.ask(logouts.BeginLogout, begun)
    except CoreError as error:
        if error.violations:
            return refused(visit, "invalid_request", "A parameter is too long.")
        raise
    if answer.WhichOneof("outcome") == "error":
        return refused(visit, answer.error.error, answer.error.error_description)
    return answer.logout


async def _end(visit: Visit, logout: pb.Logout) -> web.StreamResponse:
    """Ends the session, here and in the core, and sends the person on."""
    with suppress(SignedOutError):
        await visit.ask_as_person(visit.site.core.auth.Logout, auth.LogoutRequest())
    visit.site.sessions.forget(visit.session_cookie)
    visit.drop_cookie(cookies.SESSION)
    visit.put_header("Clear-Site-Data", '"cache", "storage"')
    visit.user = None
    return _leave(visit, logout)


async def _signed_out(visit: Visit, logout: pb.Logout) -> web.StreamResponse:
    """Nobody is signed in. Without a hint the person goes on by themselves, if they want to."""
    if visit.session_cookie:
        visit.drop_cookie(cookies.SESSION)
    if logout.confirmation_needed:
        place = logout.redirect_uri if is_safe(logout.redirect_uri) else ""
        return frontchannel_logout.render(
            visit, "session_ended.html", (), place=place, logout=logout
        )
    return _leave(visit, logout)


def _leave(visit: Visit, logout: pb.Logout) -> web.StreamResponse:
    """To the application; from a page after a form, which must not lead to another origin."""
    place, frames = logout.redirect_uri, logout.frontchannel_logout_uris
    if not place or not is_safe(place) or len(place) > MAX_ADDRESS:
        return frontchannel_logout.render(visit, "session_ended.html", frames, logout=logout)
    if frames:
        return frontchannel_logout.render(visit, frontchannel_logout.GOES_ON, frames, place=place)
    if visit.request.method == "POST":
        return visit.render("to_application.html", place=place)
    return visit.redirect(place)


CONFIRM_PAGE = Page(to_start, confirm)
