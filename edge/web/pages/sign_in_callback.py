"""/sign-in/callback: where a provider sends the browser back to.

The page changes something when it is opened, as no other does. What makes that safe is the
core: an address of it is good once, in the browser that has begun.
"""

from __future__ import annotations

from aiohttp import web
from portico.connections.v1 import federated_sign_in_service_pb2 as pb

from edge.web import cookies, federated, signing_in
from edge.web.core_client import PROVIDER_SECONDS, CoreError
from edge.web.page import Page
from edge.web.pages import sign_in_verify, step_up
from edge.web.paths import ACCOUNT_IDENTITIES, SIGN_IN
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """Completes what was begun: a sign-in, a link, a step-up or a test."""
    if visit.request.method != "GET":
        return visit.redirect(SIGN_IN)  # whoever asks for the headers alone uses nothing up
    try:
        complete = visit.site.core.federated.CompleteFederatedSignIn
        answer = await visit.ask(complete, _brought(visit), PROVIDER_SECONDS)
        return await _go_on(visit, answer)
    except CoreError as error:
        return _refused(visit, error)


def _brought(visit: Visit) -> pb.CompleteFederatedSignInRequest:
    query = visit.request.query
    return pb.CompleteFederatedSignInRequest(
        state=query.get("state", ""),
        code=query.get("code", ""),
        iss=query.get("iss", ""),
        error=query.get("error", ""),
        browser_token=federated.browser_token(visit),
        device_token=cookies.get(visit.request, cookies.DEVICE),
    )


async def _go_on(visit: Visit, answer: pb.CompleteFederatedSignInResponse) -> web.StreamResponse:
    if answer.purpose == "test":
        return visit.render("connection_test.html", checks=answer.checks)
    if answer.purpose == "link":
        return visit.redirect(ACCOUNT_IDENTITIES, notice="identity-linked")
    if answer.purpose == "step_up":
        return await step_up.confirmed(visit, answer.refresh_token)
    # What each tab has begun with, not what stands in this address.
    visit.form = {"return_to": federated.place_of(answer.return_to)}
    visit.put_cookie(cookies.DEVICE, answer.device_token, cookies.DEVICE_SECONDS)
    if answer.mfa_required:
        return sign_in_verify.begin(visit, answer.challenge, answer.methods)
    return await signing_in.finish(visit, answer.refresh_token)


def _refused(visit: Visit, error: CoreError) -> web.StreamResponse:
    visit.refuse(error)
    visit.errors = {}
    if error.reason == "VALIDATION_ERROR":
        visit.alert = visit.t("refusals.FEDERATED_STATE_INVALID")
    place = visit.site.places.accept(cookies.get(visit.request, cookies.RETURN))
    visit.form = {"return_to": place or ""}
    if place and error.reason == "EMAIL_NOT_VERIFIED":
        visit.put_cookie(cookies.RETURN, place, cookies.RETURN_SECONDS)
    return visit.render("sign_in_refused.html", link_first=error.reason == "IDENTITY_NOT_LINKED")


PAGE = Page(get)
