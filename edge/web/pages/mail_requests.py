"""Pages that ask for a mail: one field, and the same answer whether or not there is an account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from portico.auth.v1 import auth_service_pb2 as pb

from edge.web import cookies
from edge.web.core_client import CoreClient, CoreError
from edge.web.page import Page
from edge.web.paths import FORGOT_PASSWORD, RESEND_VERIFICATION
from edge.web.visit import Visit


@dataclass(frozen=True, slots=True)
class MailRequest:
    """What such a page does.

    Attributes:
        form: the template of the form.
        sent: the template that says that a mail is on its way if there is such an account.
        send: brings the address to the core.
        keeps_place: whether the person goes on to `return_to` after what the mail is for.
    """

    path: str
    form: str
    sent: str
    send: Callable[[CoreClient], Callable[..., Awaitable[Any]]]
    request: Callable[..., Any]
    keeps_place: bool = False

    @property
    def page(self) -> Page:
        """The page."""
        return Page(self._get, self._post)

    async def _get(self, visit: Visit) -> web.StreamResponse:
        if visit.request.method != "POST" and "sent" in visit.request.query:
            return visit.render(self.sent)
        return visit.render(self.form)

    async def _post(self, visit: Visit) -> web.StreamResponse:
        if visit.lacks("email"):
            return visit.render(self.form)
        request = self.request(email=visit.form["email"].strip())
        try:
            await visit.ask(self.send(visit.site.core), request)
        except CoreError as error:
            visit.refuse(error)
            return visit.render(self.form)
        if self.keeps_place and (place := visit.return_to):
            visit.put_cookie(cookies.RETURN, place, cookies.RETURN_SECONDS)
        return visit.redirect(self.path, sent="yes")


FORGOT_PASSWORD_PAGE = MailRequest(
    FORGOT_PASSWORD,
    "forgot_password.html",
    "reset_sent.html",
    lambda core: core.auth.ForgotPassword,
    pb.ForgotPasswordRequest,
    keeps_place=True,
).page
RESEND_VERIFICATION_PAGE = MailRequest(
    RESEND_VERIFICATION,
    "resend_verification.html",
    "verification_sent.html",
    lambda core: core.auth.ResendVerification,
    pb.ResendVerificationRequest,
).page
