"""/oauth/authorize: takes an authorization request, by GET or POST (OpenID Connect Core, 3.1.2.1).

The core checks it and seals it into a text; from then on it lives in the address of a page of
ours, so that each tab has its own, and going back or reloading asks the same.
"""

from __future__ import annotations

from aiohttp import web
from portico.oauth.v1 import authorization_service_pb2 as pb

from edge.web.oauth.errors import OAuthError
from edge.web.oauth.parameters import Pairs, read_form, read_pairs
from edge.web.oauth.responses import refused, respond
from edge.web.paths import CONSENT
from edge.web.visit import Visit

# The address of the page has to pass where a request's line is limited, and once more within
# the address of the sign-in.
MAX_REQUEST_ID = 7000
MAX_HINT = 254
MAX_LOCALES = 100


async def get(visit: Visit) -> web.StreamResponse:
    """A request in the address."""
    try:
        pairs = read_pairs(visit.request.rel_url.raw_query_string)
    except OAuthError as error:
        return refused(visit, error.error, error.description)
    return await _begin(visit, pairs)


async def post(visit: Visit) -> web.StreamResponse:
    """A request in a form, which any site may send: it changes nothing."""
    try:
        pairs = read_form(visit.request.headers, await visit.request.read())
    except OAuthError as error:
        return refused(visit, error.error, error.description)
    return await _begin(visit, pairs)


async def _begin(visit: Visit, pairs: Pairs) -> web.StreamResponse:
    asked = pb.BeginAuthorizationRequest(
        parameters=[pb.Parameter(name=name, value=value) for name, value in pairs]
    )
    begun = await visit.ask(visit.site.core.authorizations.BeginAuthorization, asked)
    outcome = begun.WhichOneof("outcome")
    if outcome == "error":
        return refused(visit, begun.error.error, begun.error.error_description)
    if outcome == "response":
        return respond(visit, begun.response, from_page=False)
    return _to_consent(visit, begun.authorization)


def _to_consent(visit: Visit, authorization: pb.Authorization) -> web.StreamResponse:
    """On to the page. The browser brings its cookies there, also if another site has sent it."""
    if len(authorization.request_id) > MAX_REQUEST_ID:
        return refused(visit, "invalid_request", "The request is too long.")
    query = {"request_id": authorization.request_id}
    if "none" in authorization.prompt:
        query["prompt"] = "none"
    if authorization.login_hint:
        query["login_hint"] = authorization.login_hint[:MAX_HINT]
    if authorization.ui_locales:
        query["ui_locales"] = " ".join(authorization.ui_locales)[:MAX_LOCALES]
    return visit.redirect(CONSENT, **query)
