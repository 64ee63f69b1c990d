"""Authorization responses: how a browser brings them to the application.

After one of our forms Chromium holds every redirect, those of the application included, to the
policy of the page with the form. So only the page of the consent answers its form with a
redirect; after a sign-in, or whatever else the person had to do first, the browser is sent on
from a page.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode

from aiohttp import web
from portico.oauth.v1 import authorization_service_pb2 as pb

from edge.web.visit import POLICY, Visit

# Longer ones do not pass where headers are limited.
MAX_ADDRESS = 16_000
FORM_POST = "form_post"
FRAGMENT = "fragment"
# What a browser would run or show in our name instead of going there.
_UNSAFE_SCHEMES = frozenset(
    {"javascript", "data", "vbscript", "blob", "file", "about", "filesystem", "view-source"}
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")
# Of the pages whose form leads to an application. Its callback may lead on to any address, the
# scheme of an app among them, and Chromium holds all of that to `form-action`.
LEADING_POLICY = POLICY.replace(" form-action 'self';", "")


def is_safe(uri: str) -> bool:
    """Whether a browser can be sent to a redirect URI: the last look, after the registration's."""
    scheme, colon, _ = uri.partition(":")
    return bool(colon and _SCHEME.match(scheme.lower())) and scheme.lower() not in _UNSAFE_SCHEMES


def address(response: pb.AuthorizationResponse) -> str:
    """The redirect URI with the parameters of the response (RFC 6749, section 4.1.2)."""
    parameters = urlencode([(each.name, each.value) for each in response.parameters])
    uri = response.redirect_uri
    if response.response_mode == FRAGMENT:
        return f"{uri}#{parameters}"
    if "?" not in uri:
        return f"{uri}?{parameters}"
    return f"{uri}{'' if uri[-1] in '?&' else '&'}{parameters}"


def respond(
    visit: Visit, response: pb.AuthorizationResponse, *, from_page: bool
) -> web.StreamResponse:
    """Sends the browser to the application.

    Args:
        from_page: whether a form of ours may have led here, so that the browser is sent on
            from a page.
    """
    if not is_safe(response.redirect_uri):
        return refused(visit, "invalid_request", "The redirect URI has a scheme that is not safe.")
    if response.response_mode == FORM_POST:
        return _posted(visit, response)
    place = address(response)
    if len(place) > MAX_ADDRESS:
        return refused(visit, "invalid_request", "The response is too long for an address.")
    if from_page:
        return visit.render("to_application.html", place=place)
    return visit.redirect(place)


def refused(visit: Visit, error: str, description: str) -> web.StreamResponse:
    """What is wrong with a request, for the person; the browser is sent nowhere."""
    visit.status = 400
    return visit.render("authorization_error.html", error=error, description=description)


def _posted(visit: Visit, response: pb.AuthorizationResponse) -> web.StreamResponse:
    """A form for the application: its button works without the script that presses it."""
    visit.put_header("Content-Security-Policy", f"{LEADING_POLICY}; script-src 'self'")
    return visit.render(
        "form_post.html",
        action=response.redirect_uri,
        parameters=response.parameters,
        script=visit.site.assets.form_post,
    )
