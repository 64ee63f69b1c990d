"""Frames in which applications end their sessions (OpenID Connect Front-Channel Logout 1.0)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from aiohttp import web
from portico.oauth.v1 import logout_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.oauth.responses import is_safe
from edge.web.visit import POLICY, Visit

# How long a page waits for its frames before it goes on, in seconds.
PATIENCE = 5
# The page that goes on when its frames are loaded.
GOES_ON = "signing_out.html"
# What a policy can name, and what no character of leads out of it.
_ORIGIN = re.compile(r"https?://[a-z0-9._-]+(:[0-9]{1,5})?")


async def addresses(visit: Visit) -> Sequence[str]:
    """What the session's applications want to have loaded. Asked for before the session ends.

    Raises:
        SignedOutError: if nobody is signed in.
    """
    asked = pb.GetLogoutRequest(parameters=pb.LogoutParameters())
    # An application that is told nothing holds nobody back who wants to leave.
    with suppress(CoreError):
        answer = await visit.ask_as_person(visit.site.core.logouts.GetLogout, asked)
        return list(answer.logout.frontchannel_logout_uris)
    return ()


def render(
    visit: Visit, template: str, uris: Iterable[str], *, place: str = "", **values: object
) -> web.Response:
    """A page that loads addresses in frames.

    Args:
        place: where the browser goes then; "" for nowhere. It need not run a script for that.
    """
    frames = [uri for uri in uris if _origin(uri)]
    if frames:
        sources = " ".join(sorted({_origin(uri) for uri in frames}))
        policy = f"{POLICY}; frame-src {sources}"
        script = "; script-src 'self'" if template == GOES_ON else ""
        visit.put_header("Content-Security-Policy", f"{policy}{script}")
    return visit.render(
        template,
        frames=frames,
        place=place,
        patience=PATIENCE,
        script=visit.site.assets.logout_frames,
        **values,
    )


def _origin(uri: str) -> str:
    """The origin of an address, as a policy names it; "" if it is none to be loaded."""
    parts = urlsplit(uri)
    origin = f"{parts.scheme}://{parts.netloc}"
    return origin if is_safe(uri) and _ORIGIN.fullmatch(origin) else ""
