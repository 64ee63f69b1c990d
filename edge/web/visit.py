"""One request for a page: who asks, in which language, with which form; and how it is answered."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

from aiohttp import web
from google.protobuf.timestamp_pb2 import Timestamp
from markupsafe import Markup
from multidict import CIMultiDict
from portico.users.v1 import user_pb2
from portico.users.v1 import user_service_pb2 as users

from edge.web import cookies
from edge.web.assets import Assets
from edge.web.core_client import TIMEOUT_SECONDS, Caller, CoreClient, CoreError
from edge.web.forms import FormTokens, new_cookie
from edge.web.languages import Catalog, choose
from edge.web.paths import SIGN_IN
from edge.web.redirects import ReturnPlaces, is_own
from edge.web.refusals import field_texts, refusal_status, refusal_text
from edge.web.rendering import Templates
from edge.web.sealing import Seals
from edge.web.sessions import AccessToken, BrowserSessions, SignedOutError
from edge.web.settings import WebSettings
from edge.web.step_ups import REASON as STEP_UP_REASON
from edge.web.step_ups import StepUpNeededError
from portico_kit.oauth_scopes import described

# No script, no frame, nothing from elsewhere. A form goes nowhere but to us; Chromium holds
# the redirects after it to the same rule, so other places are reached from a page.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
# Of the pages where passkeys are used, which no browser does without a script.
SCRIPT_POLICY = f"{POLICY}; script-src 'self'; connect-src 'self'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Never shown again: see `Visit.value`.
SECRET_FIELDS = frozenset(
    {"password", "new_password", "current_password", "code", "secret", "credential"}
)

# What a page can be told in its address that the one before it did; the keys of their texts.
NOTICES = {
    "signed-out": "notices.signed_out",
    "session-ended": "notices.session_ended",
    "verified": "notices.verified",
    "password-reset": "notices.password_reset",
    "email-changed": "notices.email_changed",
    "email-change-reverted": "notices.email_change_reverted",
    "session-reported": "notices.session_reported",
    "factor-reset-canceled": "notices.factor_reset_canceled",
    "saved": "notices.saved",
    "email-change-sent": "notices.email_change_sent",
    "password-changed": "notices.password_changed",
    "sessions-ended": "notices.sessions_ended",
    "session-ended-there": "notices.session_ended_there",
    "signed-out-everywhere": "notices.signed_out_everywhere",
    "organization-created": "notices.organization_created",
    "organization-switched": "notices.organization_switched",
    "organization-left": "notices.organization_left",
    "joined": "notices.joined",
    "account-deleted": "notices.account_deleted",
    "challenge-over": "notices.challenge_over",
    "confirmed": "notices.confirmed",
    "factor-added": "notices.factor_added",
    "factor-removed": "notices.factor_removed",
    "device-forgotten": "notices.device_forgotten",
    "devices-forgotten": "notices.devices_forgotten",
    "identity-linked": "notices.identity_linked",
    "identity-unlinked": "notices.identity_unlinked",
    "factor-needed": "notices.factor_needed",
    "sign-in-again": "notices.sign_in_again",
    "grant-withdrawn": "notices.grant_withdrawn",
}

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages share."""

    settings: WebSettings
    core: CoreClient
    sessions: BrowserSessions
    form_tokens: FormTokens
    seals: Seals
    places: ReturnPlaces
    catalogs: Mapping[str, Catalog]
    templates: Templates
    assets: Assets


@dataclass
class Visit:
    """One request.

    Attributes:
        form: the fields that were sent.
        status: of the answer.
        alert: what went wrong, as a sentence above the form.
        errors: what is wrong with single fields, as sentences.
        done: what this page has done itself, one of `NOTICES`.
        user: the person, once `load_user` has asked for them.
    """

    site: Site
    request: web.Request
    form: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    alert: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    done: str = ""
    user: user_pb2.User | None = None
    _headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    _cookies: dict[str, tuple[str, int | None]] = field(default_factory=dict)

    # What was asked

    @property
    def path(self) -> str:
        """The path of the page."""
        return self.request.path

    @cached_property
    def caller(self) -> Caller:
        """Whom the core shall take the calls of this visit for."""
        headers = self.request.headers
        return Caller(
            address=headers.get("X-Edge-Address", ""),
            user_agent=headers.get("User-Agent", ""),
            request_id=headers.get("X-Request-Id", ""),
        )

    def value(self, name: str) -> str:
        """What was sent in a field, or stands in the address; never a password."""
        if name in SECRET_FIELDS:
            return ""
        return self.form.get(name, self.request.query.get(name, ""))

    @property
    def return_to(self) -> str | None:
        """Where the person wants to go after this, if it is a registered place."""
        return self.site.places.accept(self.value("return_to"))

    @property
    def here(self) -> str:
        """The page itself with its address, for coming back to it."""
        token = self.value("token")
        return f"{self.path}?{urlencode({'token': token})}" if token else self.path

    def lacks(self, *names: str) -> bool:
        """Whether fields were left empty that must not be; the page then says so."""
        missing = [name for name in names if not self.form.get(name, "").strip()]
        if missing:
            self.status = int(HTTPStatus.UNPROCESSABLE_ENTITY)
            self.errors = {name: self.t("rules.REQUIRED") for name in missing}
            self.alert = self.t("refusals.VALIDATION_ERROR")
        return bool(missing)

    # Words

    @property
    def notice(self) -> str:
        """What this page, or the one before it, has done, as a sentence; one of a few."""
        name = self.done or self.request.query.get("notice", "")
        return self.t(NOTICES[name]) if name in NOTICES else ""

    @property
    def theme(self) -> str:
        """The person's theme, "light" or "dark"; empty if the browser decides."""
        theme = self.user.preferences.theme if self.user is not None else ""
        return theme if theme in ("light", "dark") else ""

    @property
    def catalog(self) -> Catalog:
        """The texts in the person's language."""
        catalogs = self.site.catalogs
        preference = self.user.preferences.language if self.user is not None else ""
        ui_locales = self.request.query.get("ui_locales", "")
        header = self.request.headers.get("Accept-Language", "")
        return catalogs[choose(tuple(catalogs), preference, ui_locales, header)]

    def t(self, key: str, **values: object) -> str:
        """A text in the person's language."""
        return self.catalog.text(key, **values)

    def role(self, name: str) -> str:
        """A role in an organization; one that has no text is shown as it is called."""
        key = f"roles.{name}"
        return self.t(key) if self.catalog.has(key) else name

    def factor_type(self, name: str) -> str:
        """A kind of factor; one that has no text is shown as it is called."""
        key = f"factor_types.{name}"
        return self.t(key) if self.catalog.has(key) else name

    def scope(self, name: str, description: str = "") -> str:
        """What a scope allows; in a language without a text for it as the core says it."""
        key = f"scopes.{name}"
        return self.t(key) if self.catalog.has(key) else description or described(name)

    def time(self, at: Timestamp) -> Markup:
        """A moment, in UTC: a page without a script does not know where its reader is."""
        moment = at.ToDatetime(tzinfo=UTC)
        text = self.t(
            "dates.moment",
            day=moment.day,
            month=self.t(f"dates.{moment.month}"),
            year=moment.year,
            time=f"{moment:%H:%M}",
        )
        machine = moment.isoformat(timespec="seconds")
        return Markup('<time datetime="{}">{}</time>').format(machine, text)

    # The core

    async def ask(
        self,
        method: Callable[..., Awaitable[Answer]],
        request: Any,
        seconds: float = TIMEOUT_SECONDS,
    ) -> Answer:
        """Calls a public method of the core.

        Args:
            seconds: how long to wait for the answer.

        Raises:
            CoreError: if the core refuses or does not answer.
        """
        return await self.site.core.call(method, request, self.caller, seconds=seconds)

    async def ask_as_person(self, method: Callable[..., Awaitable[Answer]], request: Any) -> Answer:
        """Calls a method of the core for whoever is signed in.

        Raises:
            SignedOutError: if nobody is, or not any more.
            StepUpNeededError: if they have to confirm first that it is them.
            CoreError: if the core refuses or does not answer.
        """
        try:
            return await self._ask_with_token(method, request)
        except CoreError as error:
            if not error.is_about_credential:
                raise
        # What is remembered may be older than the keys that sign; the session decides.
        self.site.sessions.forget(self.session_cookie)
        try:
            return await self._ask_with_token(method, request)
        except CoreError as error:
            if error.is_about_credential:
                raise SignedOutError from None
            raise

    async def _ask_with_token(
        self, method: Callable[..., Awaitable[Answer]], request: Any
    ) -> Answer:
        access = await self.require_session()
        try:
            return await self.site.core.call(method, request, self.caller, access.token)
        except CoreError as error:
            if error.reason == STEP_UP_REASON:
                raise StepUpNeededError.of(error) from None
            raise

    @property
    def session_cookie(self) -> str:
        """The cookie of the session; empty if there is none."""
        return cookies.get(self.request, cookies.SESSION)

    async def require_session(self) -> AccessToken:
        """The session of whoever is signed in.

        Raises:
            SignedOutError: if nobody is.
            CoreError: if the core does not answer.
        """
        if not self.session_cookie:
            raise SignedOutError
        return await self.site.sessions.resume(self.session_cookie, self.caller)

    async def load_user(self) -> user_pb2.User:
        """The account of whoever is signed in; from here on pages have its language and theme.

        Raises:
            SignedOutError: if nobody is.
            CoreError: if the core refuses or does not answer.
        """
        if self.user is None:
            answer = await self.ask_as_person(self.site.core.users.GetMe, users.GetMeRequest())
            self.user = answer.user
        return self.user

    async def is_signed_in(self) -> bool:
        """Whether somebody is signed in, by the word of the core.

        Raises:
            CoreError: if the core does not answer.
        """
        try:
            await self.load_user()
        except SignedOutError:
            return False
        return True

    # Answers

    def refuse(self, error: CoreError) -> None:
        """Has the page say why the core refused what a form asked for."""
        self.status = refusal_status(error)
        self.errors = field_texts(self.catalog, error)
        self.alert = refusal_text(self.catalog, error, self.caller.request_id)
        self.retry_after(error)

    def retry_after(self, error: CoreError) -> None:
        """Tells clients when to try again, if the core says so."""
        if error.retry_after is not None:
            self._headers["Retry-After"] = str(math.ceil(error.retry_after.total_seconds()))

    def render_with_script(self, template: str, **values: Any) -> web.Response:
        """A page on which passkeys are used. Whatever else is on it works without the script."""
        self.put_header("Content-Security-Policy", SCRIPT_POLICY)
        return self.render(template, has_script=True, **values)

    def render(self, template: str, **values: Any) -> web.Response:
        """A page."""
        values.setdefault("has_script", False)
        body = self.site.templates.render(
            template,
            visit=self,
            t=self.t,
            return_to=self.return_to,
            form_token=self._form_token(),
            **values,
        )
        response = web.Response(
            text=body, status=self.status, content_type="text/html", charset="utf-8"
        )
        return self._finish(response)

    def redirect(self, place: str, **query: str) -> web.Response:
        """Sends the browser to another page with GET (303).

        Args:
            place: a path of ours.
            query: parameters to add.
        """
        if query:
            place += ("&" if "?" in place else "?") + urlencode(query)
        return self._finish(web.Response(status=303, headers={"Location": place}))

    def leave(self, place: str | None) -> web.Response:
        """Sends a person who is done to an accepted place, else to where they begin.

        Another origin gets no redirect: after a form, Chromium would refuse it.
        """
        if place is None:
            return self.redirect("/account")
        if is_own(place):
            return self.redirect(place)
        return self.redirect(SIGN_IN, return_to=place)

    def link(self, path: str, **query: str) -> str:
        """The address of a page of ours that takes `return_to` along."""
        place = self.return_to
        if place:
            query["return_to"] = place
        return f"{path}?{urlencode(query)}" if query else path

    def put_cookie(self, name: str, value: str, max_age_seconds: int | None = None) -> None:
        """Sets a cookie with the answer."""
        self._cookies[name] = value, max_age_seconds

    def drop_cookie(self, name: str) -> None:
        """Takes a cookie back with the answer."""
        self._cookies[name] = "", 0

    def put_header(self, name: str, value: str) -> None:
        """Sets a header of the answer."""
        self._headers[name] = value

    def _form_token(self) -> str:
        """The token for the forms of the page, bound to what the browser will send with them."""
        renewed = self._cookies.get(cookies.SESSION)
        session = renewed[0] if renewed is not None else self.session_cookie
        bound_to = session or cookies.get(self.request, cookies.FORM)
        if not bound_to:
            bound_to = new_cookie()
            self.put_cookie(cookies.FORM, bound_to)
        return self.site.form_tokens.issue(bound_to)

    def _finish(self, response: web.Response) -> web.Response:
        response.headers.update(HEADERS)
        response.headers.update(self._headers)
        for name, (value, max_age_seconds) in self._cookies.items():
            cookies.put(response, name, value, max_age_seconds)
        return response
