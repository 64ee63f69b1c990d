"""/account/sessions: where the person is signed in, and how to end that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb
from portico.auth.v1.session_pb2 import Session

from edge.web import signing_out
from edge.web.core_client import CoreError
from edge.web.devices import device_name
from edge.web.page import Page
from edge.web.paths import ACCOUNT_SESSIONS
from edge.web.remembered_devices import forget_all
from edge.web.visit import Visit

PAGE_SIZE = 20
AT_ONCE = 100


class SessionGoneError(Exception):
    """There is no such session; another window, or the person there, may have ended it."""


async def get(visit: Visit) -> web.StreamResponse:
    """The sessions, newest first."""
    try:
        return await _show(visit)
    except CoreError as error:
        # The address of a page of the list may be old; the list begins at its beginning then.
        if error.reason == "VALIDATION_ERROR" and "cursor" in visit.request.query:
            return visit.redirect(ACCOUNT_SESSIONS)
        raise


async def _show(visit: Visit) -> web.StreamResponse:
    user = await visit.load_user()
    answer = await _list(visit, PAGE_SIZE, visit.request.query.get("cursor", ""))
    # The one that the person is using comes first, wherever it is in the list.
    sessions = sorted(answer.sessions, key=lambda each: not each.current)
    return visit.render(
        "account/sessions.html",
        user=user,
        sessions=sessions,
        next_cursor=answer.next_cursor,
        name_of=lambda session: device_name(visit, session.user_agent),
    )


async def post(visit: Visit) -> web.StreamResponse:
    """Ends one session, all others, or all."""
    which = visit.form.get("end", "")
    if which in ("others", "all"):
        await _end_others(visit)
        if which == "all":
            # Whoever signs out everywhere trusts no device any more, signed in there or not.
            await forget_all(visit)
            return await signing_out.finish(visit, "signed-out-everywhere")
        return visit.redirect(ACCOUNT_SESSIONS, notice="sessions-ended")
    with suppress(SessionGoneError):
        await _end(visit, which)
    return visit.redirect(ACCOUNT_SESSIONS, notice="session-ended-there")


async def _list(visit: Visit, limit: int, cursor: str) -> pb.ListSessionsResponse:
    request = pb.ListSessionsRequest(limit=limit, cursor=cursor)
    return await visit.ask_as_person(visit.site.core.auth.ListSessions, request)


async def _all(visit: Visit) -> AsyncIterator[Session]:
    cursor = ""
    while True:
        answer = await _list(visit, AT_ONCE, cursor)
        for session in answer.sessions:
            yield session
        cursor = answer.next_cursor
        if not cursor:
            return


async def _end_others(visit: Visit) -> None:
    async for session in _all(visit):
        if not session.current:
            # Another window may have ended it in between.
            with suppress(SessionGoneError):
                await _end(visit, session.id)


async def _end(visit: Visit, session_id: str) -> None:
    """Ends a session.

    Raises:
        SessionGoneError: if there is none, or not any more.
        CoreError: if the core does not answer.
    """
    request = pb.RevokeSessionRequest(session_id=session_id)
    try:
        await visit.ask_as_person(visit.site.core.auth.RevokeSession, request)
    except CoreError as error:
        if error.reason in ("SESSION_NOT_FOUND", "VALIDATION_ERROR"):
            raise SessionGoneError from None
        raise


PAGE = Page(get, post)
