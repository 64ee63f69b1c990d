"""The pages as a web application: which page answers where, and what is done around each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from edge.web import cookies, forms
from edge.web.assets import Asset
from edge.web.backchannel_logout import receiving
from edge.web.core_client import CoreError
from edge.web.forms import is_foreign
from edge.web.logos import showing_logos
from edge.web.oauth import authorize, logout
from edge.web.oauth.documents import KeySet, serving
from edge.web.oauth.endpoints import OAuthEndpoints, answering
from edge.web.oauth.proofs import offering_nonces
from edge.web.oauth.registration import RegistrationEndpoints
from edge.web.page import Page, Serve
from edge.web.pages import (
    accept_invitation,
    consent,
    device,
    mail_links,
    mail_requests,
    register,
    reset_password,
    sign_in,
    sign_in_callback,
    sign_in_passkey,
    sign_in_verify,
    sign_in_with,
    sign_out,
    single_sign_on,
    start,
    step_up,
    verify_email,
)
from edge.web.pages.account import (
    applications,
    delete,
    email,
    identities,
    leave_organization,
    organizations,
    password,
    profile,
    sessions,
    unlink_identity,
)
from edge.web.pages.account.security import (
    add_app,
    add_codes,
    add_passkey,
    factors,
    recovery_codes,
    remove_factor,
    rename_factor,
)
from edge.web.paths import (
    ACCEPT_INVITATION,
    ACCOUNT,
    ACCOUNT_APPLICATIONS,
    ACCOUNT_DELETE,
    ACCOUNT_EMAIL,
    ACCOUNT_IDENTITIES,
    ACCOUNT_ORGANIZATIONS,
    ACCOUNT_PASSWORD,
    ACCOUNT_SECURITY,
    ACCOUNT_SESSIONS,
    ADD_APP,
    ADD_EMAIL_CODES,
    ADD_PASSKEY,
    ADD_SMS_CODES,
    ASSETS,
    AUTHORIZATION_SERVER,
    AUTHORIZE,
    BACKCHANNEL_LOGOUT,
    CANCEL_FACTOR_RESET,
    CONFIRM_EMAIL_CHANGE,
    CONFIRM_LOGOUT,
    CONSENT,
    DEVICE,
    DEVICE_AUTHORIZATION,
    END_SESSION,
    FORGOT_PASSWORD,
    INTROSPECT,
    KEY_SET,
    LEAVE_ORGANIZATION,
    LOGOS,
    OPENID_CONFIGURATION,
    PROTECTED_RESOURCE,
    PUSH,
    RECOVERY_CODES,
    REGISTER,
    REGISTER_CLIENT,
    REGISTERED_CLIENT,
    REMOVE_FACTOR,
    RENAME_FACTOR,
    REPORT_SESSION,
    REQUEST_OBJECTS,
    RESEND_VERIFICATION,
    RESET_PASSWORD,
    REVERT_EMAIL_CHANGE,
    REVOKE,
    SIGN_IN,
    SIGN_IN_CALLBACK,
    SIGN_IN_PASSKEY,
    SIGN_IN_VERIFY,
    SIGN_IN_WITH,
    SIGN_OUT,
    SINGLE_SIGN_ON,
    START,
    STEP_UP,
    TOKEN,
    UNLINK_IDENTITY,
    USERINFO,
    VERIFY_EMAIL,
)
from edge.web.refusals import refusal_status
from edge.web.request_objects import showing
from edge.web.sessions import SignedOutError
from edge.web.step_ups import StepUpNeededError
from edge.web.visit import Site, Visit
from portico_kit import oauth_metadata
from portico_kit.clock import utc_now
from portico_kit.dpop import DpopNonces

PAGES: Mapping[str, Page] = {
    START: start.PAGE,
    SIGN_IN: sign_in.PAGE,
    SIGN_IN_PASSKEY: sign_in_passkey.PAGE,
    SIGN_IN_VERIFY: sign_in_verify.PAGE,
    SIGN_IN_WITH: sign_in_with.PAGE,
    SINGLE_SIGN_ON: single_sign_on.PAGE,
    SIGN_IN_CALLBACK: sign_in_callback.PAGE,
    STEP_UP: step_up.PAGE,
    SIGN_OUT: sign_out.PAGE,
    REGISTER: register.PAGE,
    VERIFY_EMAIL: verify_email.PAGE,
    RESEND_VERIFICATION: mail_requests.RESEND_VERIFICATION_PAGE,
    FORGOT_PASSWORD: mail_requests.FORGOT_PASSWORD_PAGE,
    RESET_PASSWORD: reset_password.PAGE,
    ACCEPT_INVITATION: accept_invitation.PAGE,
    CONFIRM_EMAIL_CHANGE: mail_links.CONFIRM_EMAIL_CHANGE_PAGE,
    REVERT_EMAIL_CHANGE: mail_links.REVERT_EMAIL_CHANGE_PAGE,
    REPORT_SESSION: mail_links.REPORT_SESSION_PAGE,
    CANCEL_FACTOR_RESET: mail_links.CANCEL_FACTOR_RESET_PAGE,
    ACCOUNT: profile.PAGE,
    ACCOUNT_EMAIL: email.PAGE,
    ACCOUNT_PASSWORD: password.PAGE,
    ACCOUNT_SECURITY: factors.PAGE,
    ADD_APP: add_app.PAGE,
    ADD_PASSKEY: add_passkey.PAGE,
    ADD_EMAIL_CODES: add_codes.EMAIL_PAGE,
    ADD_SMS_CODES: add_codes.SMS_PAGE,
    RENAME_FACTOR: rename_factor.PAGE,
    REMOVE_FACTOR: remove_factor.PAGE,
    RECOVERY_CODES: recovery_codes.PAGE,
    ACCOUNT_IDENTITIES: identities.PAGE,
    UNLINK_IDENTITY: unlink_identity.PAGE,
    ACCOUNT_SESSIONS: sessions.PAGE,
    ACCOUNT_ORGANIZATIONS: organizations.PAGE,
    LEAVE_ORGANIZATION: leave_organization.PAGE,
    ACCOUNT_APPLICATIONS: applications.PAGE,
    ACCOUNT_DELETE: delete.PAGE,
    CONSENT: consent.PAGE,
    DEVICE: device.PAGE,
    CONFIRM_LOGOUT: logout.CONFIRM_PAGE,
}
# For `portico health web`; the gateway has no route to it.
HEALTH = "/health"
# Names change with the content.
KEEP = "public, max-age=31536000, immutable"
# An image needs nothing, should somebody open it as a page.
ASSET_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger("web")


def build(site: Site) -> web.Application:
    """The application."""
    app = web.Application(
        client_max_size=forms.MAX_BYTES, middlewares=[_answering_every_failure(site)]
    )
    for path, page in PAGES.items():
        app.router.add_get(path, _getting(site, page))
        if page.post is not None:
            app.router.add_post(path, _posting(site, page))
    _add_oauth(app.router, site)
    app.router.add_post(f"{BACKCHANNEL_LOGOUT}/{{connection_id}}", receiving(site))
    app.router.add_get(f"{REQUEST_OBJECTS}/{{name}}", showing(site))
    app.router.add_get(f"{ASSETS}/{{name}}", _asset(site))
    app.router.add_get(f"{LOGOS}/{{application_id}}/{{digest}}", showing_logos(site))
    app.router.add_get(HEALTH, _health)
    return app


def _add_oauth(router: web.UrlDispatcher, site: Site) -> None:
    """What is no page of ours: where applications send browsers to, and what they call."""
    router.add_get(AUTHORIZE, _visiting(site, authorize.get))
    router.add_post(AUTHORIZE, _visiting(site, authorize.post))
    router.add_get(END_SESSION, _visiting(site, logout.get))
    router.add_post(END_SESSION, _visiting(site, logout.post))
    endpoints = OAuthEndpoints(site)
    nonces = DpopNonces(site.settings.internal_token.get_secret_value().encode())
    offering = offering_nonces(nonces, utc_now)
    router.add_post(TOKEN, offering(answering(endpoints.token)))
    router.add_post(PUSH, offering(answering(endpoints.push)))
    router.add_post(DEVICE_AUTHORIZATION, answering(endpoints.authorize_device))
    router.add_post(REVOKE, answering(endpoints.revoke))
    router.add_post(INTROSPECT, answering(endpoints.introspect))
    router.add_get(USERINFO, offering(answering(endpoints.userinfo)))
    router.add_post(USERINFO, offering(answering(endpoints.userinfo)))
    registrations = RegistrationEndpoints(site)
    router.add_post(REGISTER_CLIENT, answering(registrations.register))
    router.add_get(REGISTERED_CLIENT, answering(registrations.read))
    router.add_put(REGISTERED_CLIENT, answering(registrations.update))
    router.add_delete(REGISTERED_CLIENT, answering(registrations.delete))
    issuer = oauth_metadata.issuer_of(site.settings.public_url)
    offered = {
        "client_documents": site.settings.registration_organization is not None,
        "certificates": site.settings.proxy_secret is not None,
    }
    server = oauth_metadata.authorization_server_metadata(issuer, **offered)
    openid = oauth_metadata.openid_configuration(issuer, **offered)
    router.add_get(AUTHORIZATION_SERVER, serving(server))
    router.add_get(OPENID_CONFIGURATION, serving(openid))
    router.add_get(PROTECTED_RESOURCE, serving(oauth_metadata.protected_resource_metadata(issuer)))
    router.add_get(KEY_SET, answering(KeySet(site.core).get))


def _visiting(site: Site, serve: Serve) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await _guarded(Visit(site, request), serve)

    return handle


def _getting(site: Site, page: Page) -> Handler:
    async def shown(visit: Visit) -> web.StreamResponse:
        await step_up.resume(visit)
        return await page.get(visit)

    async def get(request: web.Request) -> web.StreamResponse:
        return await _guarded(Visit(site, request), shown)

    return get


def _posting(site: Site, page: Page) -> Handler:
    assert page.post is not None
    post = page.post

    async def checked(visit: Visit) -> web.StreamResponse:
        await _read_form(visit)
        if _is_ours(visit):
            return await post(visit)
        # The page once more, with another token: nothing is lost but what must be typed again.
        visit.status, visit.alert = 403, visit.t("forms.try_again")
        return await page.get(visit)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _guarded(Visit(site, request), checked)

    return handle


async def _guarded(
    visit: Visit, serve: Callable[[Visit], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Serves a page, or sends whoever is not signed in there, and back afterwards."""
    try:
        return await serve(visit)
    except SignedOutError:
        return _to_sign_in(visit)
    except StepUpNeededError as needed:
        return await step_up.ask(visit, needed)
    except CoreError as error:
        visit.retry_after(error)
        return error_page(visit, refusal_status(error))


def _to_sign_in(visit: Visit) -> web.StreamResponse:
    request = visit.request
    wanted = request.path_qs if request.method in ("GET", "HEAD") else request.path
    place = visit.site.places.accept(wanted)
    query = {"return_to": place} if place else {}
    if visit.session_cookie:
        visit.drop_cookie(cookies.SESSION)
        query["notice"] = "session-ended"
    return visit.redirect(SIGN_IN, **query)


async def _read_form(visit: Visit) -> None:
    """Reads the fields.

    Raises:
        web.HTTPException: if it is no form, or a large one.
    """
    request = visit.request
    if request.content_type != forms.CONTENT_TYPE:
        raise web.HTTPUnsupportedMediaType
    try:
        visit.form = forms.read_fields(await request.read())
    except ValueError:
        raise web.HTTPBadRequest from None


def _is_ours(visit: Visit) -> bool:
    """Whether the form is from one of our pages in this browser."""
    if is_foreign(visit.request.headers, visit.site.settings.public_url):
        # Whoever has made it shall not fill in ours.
        visit.form = {}
        return False
    bound = [cookies.get(visit.request, name) for name in (cookies.SESSION, cookies.FORM)]
    token = visit.form.get(forms.FIELD, "")
    return visit.site.form_tokens.accepts(token, [cookie for cookie in bound if cookie])


def _answering_every_failure(site: Site) -> Callable[..., Awaitable[web.StreamResponse]]:
    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            visit = Visit(site, request)
            if allowed := error.headers.get("Allow"):
                visit.put_header("Allow", allowed)
            return error_page(visit, error.status)
        except Exception:
            request_id = request.headers.get("X-Request-Id", "")
            log.exception("unexpected_error", path=request.path, request_id=request_id)
            return error_page(Visit(site, request), 500)

    return answer


def error_page(visit: Visit, status: int) -> web.StreamResponse:
    """A page that says what went wrong, and nothing from inside."""
    visit.status = status
    known = visit.catalog.has(f"errors.{status}.title")
    return visit.render("error.html", kind=str(status) if known else "OTHER")


def _asset(site: Site) -> Handler:
    async def get(request: web.Request) -> web.StreamResponse:
        found: Asset | None = site.assets.find(request.path)
        if found is None:
            raise web.HTTPNotFound
        response = web.Response(body=found.content, content_type=found.content_type)
        response.headers["Cache-Control"] = KEEP
        response.headers["Content-Security-Policy"] = ASSET_POLICY
        return response

    return get


async def _health(request: web.Request) -> web.StreamResponse:
    return web.Response(text="SERVING")
