"""Pages that links in mails lead to and that have a button: opening one uses nothing up.

Programs open links before people do, so only the button, which no program presses, does
what the mail offers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as auth
from portico.email_changes.v1 import email_change_service_pb2 as email_changes
from portico.factor_resets.v1 import factor_reset_service_pb2 as factor_resets

from edge.web.core_client import CoreClient, CoreError
from edge.web.page import Page
from edge.web.paths import ACCOUNT_EMAIL, ACCOUNT_SECURITY, SIGN_IN
from edge.web.visit import Visit


@dataclass(frozen=True, slots=True)
class MailLink:
    """What such a page does.

    Attributes:
        texts: the section of its texts: title, text, button, gone.
        send: brings the token to the core.
        notice: what the page after it says.
        is_dangerous: whether the button ends something.
        place: where people who are signed in see that it was done.
    """

    texts: str
    send: Callable[[CoreClient], Callable[..., Awaitable[Any]]]
    request: Callable[..., Any]
    notice: str
    is_dangerous: bool = False
    place: str = ACCOUNT_EMAIL

    @property
    def page(self) -> Page:
        """The page."""
        return Page(self._get, self._post)

    async def _get(self, visit: Visit) -> web.StreamResponse:
        return self._render(visit, is_usable=bool(visit.value("token")))

    async def _post(self, visit: Visit) -> web.StreamResponse:
        if not visit.value("token"):
            return self._render(visit, is_usable=False)
        try:
            await visit.ask(self.send(visit.site.core), self.request(token=visit.value("token")))
        except CoreError as error:
            visit.refuse(error)
            is_usable = error.is_outage or error.reason == "RATE_LIMIT_EXCEEDED"
            return self._render(visit, is_usable=is_usable)
        # Whoever is signed in would be sent on by the sign-in, past what it says.
        place = self.place if visit.session_cookie and not self.is_dangerous else SIGN_IN
        return visit.redirect(place, notice=self.notice)

    def _render(self, visit: Visit, *, is_usable: bool) -> web.StreamResponse:
        if not is_usable and not visit.alert:
            visit.status, visit.alert = 422, visit.t("refusals.TOKEN_INVALID")
        visit.errors = {}
        return visit.render("mail_link.html", link=self, is_usable=is_usable)


CONFIRM_EMAIL_CHANGE_PAGE = MailLink(
    "confirm_email_change",
    lambda core: core.email_changes.ConfirmEmailChange,
    email_changes.ConfirmEmailChangeRequest,
    "email-changed",
).page
REVERT_EMAIL_CHANGE_PAGE = MailLink(
    "revert_email_change",
    lambda core: core.email_changes.RevertEmailChange,
    email_changes.RevertEmailChangeRequest,
    "email-change-reverted",
    is_dangerous=True,
).page
REPORT_SESSION_PAGE = MailLink(
    "report_session",
    lambda core: core.auth.ReportSession,
    auth.ReportSessionRequest,
    "session-reported",
    is_dangerous=True,
).page
CANCEL_FACTOR_RESET_PAGE = MailLink(
    "cancel_factor_reset",
    lambda core: core.factor_resets.CancelFactorReset,
    factor_resets.CancelFactorResetRequest,
    "factor-reset-canceled",
    place=ACCOUNT_SECURITY,
).page
