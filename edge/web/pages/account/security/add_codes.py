"""/account/security/email and /sms: codes that are sent, in two steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from portico.factor_codes.v1 import factor_code_service_pb2 as pb

from edge.web.answers import plain_code
from edge.web.core_client import CoreClient, CoreError
from edge.web.page import Page
from edge.web.pages.account.security.recovery_codes import show_codes
from edge.web.paths import ACCOUNT_SECURITY
from edge.web.visit import Visit

MAX_SENT_TO = 254

Method = Callable[[CoreClient], Callable[..., Awaitable[Any]]]


@dataclass(frozen=True, slots=True)
class AddCodes:
    """Both pages; they differ in where the code is sent to.

    Attributes:
        kind: "email" or "sms".
        begin: sends a code.
        confirm: takes it.
        address: the field that says where to; empty if it is the account's address.
    """

    kind: str
    begin: Method
    begin_request: Callable[..., Any]
    confirm: Method
    confirm_request: Callable[..., Any]
    address: str = ""

    @property
    def page(self) -> Page:
        """The page."""
        return Page(self._get, self._post)

    async def _get(self, visit: Visit) -> web.StreamResponse:
        """The first step; or the second one, which a person was called away from."""
        user = await visit.load_user()
        template = "enter" if visit.form.get("step") == "confirm" else "send"
        sent_to = visit.form.get("sent_to", "")[:MAX_SENT_TO]
        return visit.render(
            f"account/security/{template}_code.html", user=user, codes=self, sent_to=sent_to
        )

    async def _post(self, visit: Visit) -> web.StreamResponse:
        """Sends a code, then takes it."""
        await visit.load_user()
        try:
            if visit.form.get("step") == "confirm":
                return await self._confirm(visit)
            return await self._begin(visit)
        except CoreError as error:
            visit.refuse(error)
            if error.reason == "CODE_INVALID" or "code" in error.violations:
                visit.alert = visit.t("refusals.VALIDATION_ERROR")
                visit.errors = {"code": visit.t("challenge.wrong_sent_code")}
            return await self._get(visit)

    async def _begin(self, visit: Visit) -> web.StreamResponse:
        if self.address and visit.lacks(self.address):
            return await self._get(visit)
        asked = {self.address: visit.value(self.address).strip()} if self.address else {}
        answer = await visit.ask_as_person(self.begin(visit.site.core), self.begin_request(**asked))
        visit.form = {**visit.form, "step": "confirm", "sent_to": answer.sent_to}
        return await self._get(visit)

    async def _confirm(self, visit: Visit) -> web.StreamResponse:
        if visit.lacks("code"):
            return await self._get(visit)
        request = self.confirm_request(
            code=plain_code(visit.form["code"]), name=visit.value("name").strip()
        )
        answer = await visit.ask_as_person(self.confirm(visit.site.core), request)
        if answer.recovery_codes:
            return show_codes(visit, answer.recovery_codes, added=answer.factor.name)
        return visit.redirect(ACCOUNT_SECURITY, notice="factor-added")


EMAIL_PAGE = AddCodes(
    "email",
    lambda core: core.factor_codes.BeginEmailEnrollment,
    pb.BeginEmailEnrollmentRequest,
    lambda core: core.factor_codes.ConfirmEmailEnrollment,
    pb.ConfirmEmailEnrollmentRequest,
).page
SMS_PAGE = AddCodes(
    "sms",
    lambda core: core.factor_codes.BeginSmsEnrollment,
    pb.BeginSmsEnrollmentRequest,
    lambda core: core.factor_codes.ConfirmSmsEnrollment,
    pb.ConfirmSmsEnrollmentRequest,
    address="phone_number",
).page
