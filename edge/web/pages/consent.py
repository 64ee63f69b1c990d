"""/oauth/consent: asks a person whether an application may have what it asks for.

What comes before, a sign-in or a confirmation, is sent for and comes back here; what needs no
question is answered at once.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from portico.oauth.v1 import authorization_service_pb2 as pb

from edge.web import cookies
from edge.web.core_client import CoreError
from edge.web.oauth.responses import LEADING_POLICY, refused, respond
from edge.web.page import Page
from edge.web.pages import step_up
from edge.web.paths import CONSENT, SIGN_IN
from edge.web.visit import Visit

# How applications came to be whose names nobody has verified.
SELF_REGISTERED = ("registered", "document")
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
# What a request brings along in the address.
CARRIED = ("request_id", "prompt", "login_hint", "ui_locales")
# Says that the person has been elsewhere in between.
CONTINUED = "continued"
# The lifetime of a request is over, or somebody has written the address themselves.
_OVER = "AUTHORIZATION_EXPIRED"
# A form with boxes says so: one without a tick sends no field for a box.
_CHOOSING = "choosing"
_SCOPE = "scope."
_NOT_READY = "AUTHORIZATION_NOT_READY"
# With these the person is who signs in here, and has to show it.
_AGAIN = "login"


async def get(visit: Visit) -> web.StreamResponse:
    """Does what is next."""
    request_id = visit.value("request_id")
    if not request_id:
        return _over(visit)
    try:
        if not await visit.is_signed_in():
            return await _signed_out(visit, request_id)
        return await _next(visit, await _look(visit, request_id))
    except CoreError as error:
        if _is_over(error):
            return _over(visit)
        raise


async def post(visit: Visit) -> web.StreamResponse:
    """Sends the application what the person has decided."""
    request_id = visit.form.get("request_id", "")
    if not request_id:
        return _over(visit)
    try:
        if not await visit.is_signed_in():
            return await _signed_out(visit, request_id)
        if visit.form.get("decision") == "approve":
            return await _decide(visit, request_id)
        return await _deny(visit, request_id)
    except CoreError as error:
        if _is_over(error):
            return _over(visit)
        if error.reason == _NOT_READY or (not error.is_outage and error.violations):
            # Something else is next by now: another window, or a choice that is missing.
            return visit.redirect(here(visit))
        raise


def here(visit: Visit) -> str:
    """The page with its request, for coming back to it."""
    query = {name: visit.value(name) for name in CARRIED if visit.value(name)}
    return f"{CONSENT}?{urlencode({**query, CONTINUED: 'yes'})}"


async def _look(visit: Visit, request_id: str) -> pb.GetAuthorizationResponse:
    asked = pb.GetAuthorizationRequest(request_id=request_id)
    return await visit.ask_as_person(visit.site.core.authorizations.GetAuthorization, asked)


async def _next(visit: Visit, found: pb.GetAuthorizationResponse) -> web.StreamResponse:
    if found.next == "respond":
        return respond(visit, found.response, from_page=_has_continued(visit))
    if found.next == "approve":
        needed = found.authorization.needs_organization and found.organizations
        organization_id = found.organizations[0].id if needed else ""
        return await _approve(visit, found.authorization.request_id, organization_id)
    if found.next == "step_up":
        return await step_up.ask_for(visit, here(visit), next(iter(found.acr_values), ""))
    if found.next == "sign_in":
        return await _sign_in_again(visit, found)
    return _ask(visit, found)


def _ask(visit: Visit, found: pb.GetAuthorizationResponse) -> web.StreamResponse:
    """The page itself."""
    client = found.authorization.client
    visit.put_header("Content-Security-Policy", LEADING_POLICY)
    granted, required = set(found.granted_scopes), set(found.required_scopes)
    scopes = found.authorization.scopes
    return visit.render(
        "consent.html",
        client=client,
        is_local=client.origin in SELF_REGISTERED and _is_local(client.redirect_host),
        authorization=found.authorization,
        carried={name: visit.value(name) for name in CARRIED if visit.value(name)},
        needed=[each for each in scopes if each.name in required - granted],
        optional=[each for each in scopes if each.name not in granted | required],
        ticked=_ticked(visit, found),
        granted=[scope for scope in scopes if scope.name in granted],
        organizations=found.organizations,
        missing={each.id: _missing(found, each) for each in found.organizations},
        is_choice=found.next == "organization",
        here=here(visit),
        user=visit.user,
    )


def _is_local(redirect_host: str) -> bool:
    """Whether the answer goes to a program that listens on the person's machine."""
    host = urlsplit(f"//{redirect_host}").hostname or ""
    return host in _THIS_MACHINE


def _missing(
    found: pb.GetAuthorizationResponse, organization: pb.AuthorizationOrganization
) -> list[pb.Scope]:
    """What the role of the person does not allow in an organization."""
    given = {*organization.scopes, *found.personal_scopes}
    return [scope for scope in found.authorization.scopes if scope.name not in given]


def _ticked(visit: Visit, found: pb.GetAuthorizationResponse) -> set[str]:
    """Which boxes are ticked: as the person left them, else all but what they declined before."""
    optional = set(found.new_scopes) - set(found.required_scopes)
    if _CHOOSING in visit.form:
        return {name for name in optional if _SCOPE + name in visit.form}
    return optional - set(found.declined_scopes)


async def _decide(visit: Visit, request_id: str) -> web.StreamResponse:
    """Gives the application what the person has chosen."""
    organization_id = visit.form.get("organization_id", "")
    if _CHOOSING not in visit.form:
        return await _approve(visit, request_id, organization_id)
    found = await _look(visit, request_id)
    if found.next not in ("organization", "consent", "approve"):
        return visit.redirect(here(visit))
    chosen = _chosen(visit, found, organization_id)
    if not chosen:
        visit.status, visit.alert = 422, visit.t("consent.nothing_chosen")
        return _ask(visit, found)
    return await _approve(visit, request_id, organization_id, chosen)


def _chosen(
    visit: Visit, found: pb.GetAuthorizationResponse, organization_id: str
) -> Collection[str]:
    """The scopes that a form with boxes gives, as far as the person may give them there."""
    chosen = {*found.granted_scopes, *found.required_scopes, *_ticked(visit, found)}
    if not found.authorization.needs_organization:
        return chosen.intersection(found.personal_scopes)
    within = next((each for each in found.organizations if each.id == organization_id), None)
    return chosen.intersection((*found.personal_scopes, *(within.scopes if within else ())))


async def _approve(
    visit: Visit, request_id: str, organization_id: str, scopes: Collection[str] = ()
) -> web.StreamResponse:
    asked = pb.ApproveAuthorizationRequest(
        request_id=request_id, organization_id=organization_id, scopes=scopes
    )
    authorizations = visit.site.core.authorizations
    answer = await visit.ask_as_person(authorizations.ApproveAuthorization, asked)
    return _sent(visit, answer.response)


async def _deny(visit: Visit, request_id: str) -> web.StreamResponse:
    asked = pb.DenyAuthorizationRequest(request_id=request_id)
    authorizations = visit.site.core.authorizations
    answer = await visit.ask_as_person(authorizations.DenyAuthorization, asked)
    return _sent(visit, answer.response)


def _sent(visit: Visit, response: pb.AuthorizationResponse) -> web.StreamResponse:
    """The form of this page may lead to the application; nobody else's may."""
    is_form = visit.request.method == "POST"
    return respond(visit, response, from_page=not is_form and _has_continued(visit))


async def _signed_out(visit: Visit, request_id: str) -> web.StreamResponse:
    """Asks for a sign-in, unless the application forbids to show anything."""
    if visit.value("prompt") == "none":
        asked = pb.RefuseAuthorizationRequest(request_id=request_id, error="login_required")
        answer = await visit.ask(visit.site.core.authorizations.RefuseAuthorization, asked)
        return _sent(visit, answer.response)
    query = {"return_to": here(visit)}
    if hint := visit.value("login_hint"):
        query["email"] = hint
    if locales := visit.value("ui_locales"):
        query["ui_locales"] = locales
    if visit.session_cookie:
        visit.drop_cookie(cookies.SESSION)
    return visit.redirect(SIGN_IN, **query)


async def _sign_in_again(visit: Visit, found: pb.GetAuthorizationResponse) -> web.StreamResponse:
    """Has the same person show once more who they are, or lets somebody else sign in."""
    authorization = found.authorization
    is_stale = _AGAIN in authorization.prompt or authorization.HasField("max_age")
    # Whoever has just shown it and is asked all the same is not whom the application means.
    if is_stale and visit.request.query.get("notice") != "confirmed":
        return await step_up.ask_for(visit, here(visit))
    return visit.render("switch_account.html", here=here(visit), user=visit.user)


def _has_continued(visit: Visit) -> bool:
    return bool(visit.request.query.get(CONTINUED))


def _is_over(error: CoreError) -> bool:
    return error.reason == _OVER or "request_id" in error.violations


def _over(visit: Visit) -> web.StreamResponse:
    return refused(visit, "", "")


PAGE = Page(get, post)
