"""The end of every sign-in: a session of the browser, with a cookie that is new."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb

from edge.web import cookies
from edge.web.core_client import CoreError
from edge.web.sessions import SignedOutError
from edge.web.visit import Visit


async def finish(visit: Visit, refresh_token: str) -> web.StreamResponse:
    """Signs the browser in and sends the person on.

    The session is a new one each time, and so is what the browser holds of it.

    Raises:
        CoreError: if the core does not answer.
    """
    cookie = await visit.site.sessions.start(refresh_token, visit.caller)
    await _end_former_session(visit)
    place = visit.return_to or visit.site.places.accept(cookies.get(visit.request, cookies.RETURN))
    visit.put_cookie(cookies.SESSION, cookie, cookies.SESSION_SECONDS)
    for name in (cookies.FORM, cookies.RETURN, cookies.CHALLENGE, cookies.STEP_UP):
        if name in visit.request.cookies:
            visit.drop_cookie(name)
    return visit.leave(place)


async def _end_former_session(visit: Visit) -> None:
    """Ends the session that the browser held: nothing could name it any more."""
    if visit.session_cookie:
        with suppress(CoreError, SignedOutError):
            await visit.ask_as_person(visit.site.core.auth.Logout, pb.LogoutRequest())
        visit.site.sessions.forget(visit.session_cookie)
