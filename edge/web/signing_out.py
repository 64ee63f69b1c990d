"""The end of a session of a browser: here, and on request at the provider that it began at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlencode

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb
from portico.connections.v1 import identity_service_pb2 as identities

from edge.web import cookies, frontchannel_logout
from edge.web.core_client import CoreError
from edge.web.paths import SIGN_IN
from edge.web.sessions import SignedOutError
from edge.web.visit import Visit

# Nobody waits longer for a provider before they are signed out here.
PROVIDER_SECONDS = 2.0


async def finish(visit: Visit, notice: str) -> web.StreamResponse:
    """Ends the session, and offers to sign out at its provider, too.

    That is offered and not done: the person may use the provider for much else.

    Args:
        notice: what the next page says, one of `visit.NOTICES`.

    Raises:
        CoreError: if the core does not answer; the person stays signed in.
    """
    frames: Sequence[str] = ()
    with suppress(SignedOutError):
        frames = await frontchannel_logout.addresses(visit)
        provider = await _provider_logout(visit)
        await visit.ask_as_person(visit.site.core.auth.Logout, pb.LogoutRequest())
        visit.site.sessions.forget(visit.session_cookie)
        visit.drop_cookie(cookies.SESSION)
        if provider.logout_url:
            visit.done = notice
            return frontchannel_logout.render(
                visit,
                "signed_out.html",
                frames,
                provider=provider.connection_name,
                place=provider.logout_url,
            )
    visit.site.sessions.forget(visit.session_cookie)
    visit.drop_cookie(cookies.SESSION)
    place = visit.return_to
    query = {"notice": notice, **({"return_to": place} if place else {})}
    if not frames:
        return visit.redirect(SIGN_IN, **query)
    onward = f"{SIGN_IN}?{urlencode(query)}"
    return frontchannel_logout.render(visit, frontchannel_logout.GOES_ON, frames, place=onward)


async def _provider_logout(visit: Visit) -> identities.GetProviderLogoutResponse:
    """Where the person signs out at the provider; nowhere if that is not known soon."""
    method = visit.site.core.identities.GetProviderLogout
    with suppress(CoreError, TimeoutError):
        async with asyncio.timeout(PROVIDER_SECONDS):
            return await visit.ask_as_person(method, identities.GetProviderLogoutRequest())
    return identities.GetProviderLogoutResponse()
