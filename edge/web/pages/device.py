"""/device: a person types the code that a device shows, and says what the device may do.

The code in an address (`verification_uri_complete`, RFC 8628) only fills in the field: who has
made somebody open a link has not made them look anything up, and guesses nothing in their name.
"""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web
from portico.oauth.v1 import device_service_pb2 as pb
from portico.oauth.v1.authorization_service_pb2 import AuthorizationOrganization, Scope

from edge.web import cookies
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.pages import step_up
from edge.web.paths import DEVICE, SIGN_IN
from edge.web.visit import Visit

USER_CODE = "user_code"
MAX_CODE = 100
_INVALID = "DEVICE_CODE_INVALID"
_NOT_READY = "AUTHORIZATION_NOT_READY"


async def get(visit: Visit) -> web.StreamResponse:
    """Asks for the code."""
    if not await visit.is_signed_in():
        return _signed_out(visit)
    return _enter(visit)


async def post(visit: Visit) -> web.StreamResponse:
    """Shows what a device asks for, or gives it the person's answer."""
    if not await visit.is_signed_in():
        return _signed_out(visit)
    try:
        return await _answer(visit)
    except CoreError as error:
        if error.is_outage:
            raise
        return _refused(visit, error)


async def _answer(visit: Visit) -> web.StreamResponse:
    if visit.lacks(USER_CODE):
        return _enter(visit)
    decision = visit.form.get("decision", "")
    if decision == "deny":
        return await _deny(visit)
    # The question is the page's whole point (RFC 8628, section 5.4): no browser may skip it.
    if decision == "approve" and not visit.lacks("confirmed"):
        return await _approve(visit)
    return await _show(visit)


async def _show(visit: Visit) -> web.StreamResponse:
    """What the device asks for, with the question whether it is this person's."""
    asked = pb.GetDeviceAuthorizationRequest(user_code=_code(visit))
    devices = visit.site.core.devices
    found = await visit.ask_as_person(devices.GetDeviceAuthorization, asked)
    if found.next == "step_up":
        return await step_up.ask_for(visit, here(visit), next(iter(found.acr_values), ""))
    granted = set(found.granted_scopes)
    scopes = found.authorization.scopes
    return visit.render(
        "device_consent.html",
        authorization=found.authorization,
        client=found.authorization.client,
        new=[scope for scope in scopes if scope.name not in granted],
        granted=[scope for scope in scopes if scope.name in granted],
        organizations=found.organizations,
        missing={each.id: _missing(found, each) for each in found.organizations},
        can_approve=found.next != "deny",
        is_local=False,
        here=here(visit),
        user=visit.user,
    )


def _missing(
    found: pb.GetDeviceAuthorizationResponse, organization: AuthorizationOrganization
) -> list[Scope]:
    """What the role of the person does not allow in an organization."""
    given = {*organization.scopes, *found.personal_scopes}
    return [scope for scope in found.authorization.scopes if scope.name not in given]


async def _approve(visit: Visit) -> web.StreamResponse:
    asked = pb.ApproveDeviceAuthorizationRequest(
        user_code=_code(visit), organization_id=visit.form.get("organization_id", "")
    )
    try:
        await visit.ask_as_person(visit.site.core.devices.ApproveDeviceAuthorization, asked)
    except CoreError as error:
        if error.reason == _NOT_READY or "organization_id" in error.violations:
            # Something else is next by now: a role has changed, or a choice is missing.
            return await _show(visit)
        raise
    return visit.render("device_done.html", approved=True)


async def _deny(visit: Visit) -> web.StreamResponse:
    asked = pb.DenyDeviceAuthorizationRequest(user_code=_code(visit))
    await visit.ask_as_person(visit.site.core.devices.DenyDeviceAuthorization, asked)
    return visit.render("device_done.html", approved=False)


def _enter(visit: Visit) -> web.StreamResponse:
    return visit.render("device.html", user=visit.user, here=here(visit), code=_code(visit))


def _refused(visit: Visit, error: CoreError) -> web.StreamResponse:
    visit.refuse(error)
    if error.reason == _INVALID:
        visit.errors = {USER_CODE: visit.alert}
        visit.alert = visit.t("refusals.VALIDATION_ERROR")
    return _enter(visit)


def _signed_out(visit: Visit) -> web.StreamResponse:
    """Asks for a sign-in, and brings the person back with their code."""
    if visit.session_cookie:
        visit.drop_cookie(cookies.SESSION)
    return visit.redirect(SIGN_IN, return_to=here(visit))


def here(visit: Visit) -> str:
    """The page with its code, for coming back to it."""
    code = _code(visit)
    return f"{DEVICE}?{urlencode({USER_CODE: code})}" if code else DEVICE


def _code(visit: Visit) -> str:
    return visit.value(USER_CODE)[:MAX_CODE]


PAGE = Page(get, post)
