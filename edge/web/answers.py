"""What a page asks for that wants to know who somebody is: one method, and the others as links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import web
from portico.auth.v1 import challenge_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.passkeys import as_options, read_credential
from edge.web.visit import Visit

# The methods that pages know, the one first that people use with the least effort.
METHODS = ("passkey", "totp", "email", "sms", "recovery_code", "password", "federated")
# Of these a code is sent first.
SENT = ("email", "sms")
# Of the field, by method.
PASSWORD = "password"  # noqa: S105 - the name of a method and of its field
CODE = "code"
PASSKEY = "passkey"
# Answered at a provider, where the browser is sent.
FEDERATED = "federated"
CREDENTIAL = "credential"
# A person may write a code in groups.
_BLANKS = str.maketrans("", "", " -\t\u00a0")


def plain_code(text: str) -> str:
    """A code as it was sent or shown, however it was written."""
    return text.translate(_BLANKS)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked.

    Attributes:
        path: of the page.
        methods: with which the person can answer, as METHODS orders them.
        method: the one that the page asks for.
    """

    path: str
    methods: Sequence[str]
    method: str
    others: Sequence[str] = field(default=())

    @classmethod
    def make(cls, visit: Visit, path: str, methods: Sequence[str]) -> Prompt:
        """What a page asks: for the method that the person has chosen, if they have it."""
        known = [method for method in METHODS if method in methods]
        chosen = visit.value("method")
        method = chosen if chosen in known else next(iter(known), "")
        return cls(path, known, method, [each for each in known if each != method])

    @property
    def field(self) -> str:
        """The name of its field."""
        return {PASSWORD: PASSWORD, PASSKEY: CREDENTIAL}.get(self.method, CODE)

    def answer(
        self, visit: Visit, challenge: str, device_token: str
    ) -> pb.CompleteChallengeRequest:
        """What was entered, as an answer to a challenge."""
        entered = visit.form.get(self.field, "")
        request = pb.CompleteChallengeRequest(
            challenge=challenge,
            method=self.method,
            device_token=device_token,
            remember_device=bool(visit.form.get("remember_device")),
        )
        if self.method == PASSWORD:
            request.password = entered
        elif self.method == PASSKEY:
            request.credential.CopyFrom(read_credential(entered))
        else:
            request.code = plain_code(entered)
        return request

    async def send(self, visit: Visit, challenge: str) -> web.StreamResponse:
        """Has a code sent, and shows the field for it.

        Raises:
            CoreError: if the core refuses or does not answer.
        """
        request = pb.SendChallengeCodeRequest(challenge=challenge, method=self.method)
        await visit.ask(visit.site.core.challenges.SendChallengeCode, request)
        return visit.redirect(visit.link(self.path, method=self.method, sent="yes"))

    def refuse(self, visit: Visit, error: CoreError) -> None:
        """Has the page say what is wrong with the answer."""
        visit.refuse(error)
        if self.method == PASSKEY:
            visit.errors = {}
        kind = "sent_code" if self.method in SENT else self.field
        if error.reason in ("CODE_INVALID", "INVALID_CREDENTIALS"):
            visit.alert = visit.t("refusals.VALIDATION_ERROR")
            visit.errors = {self.field: visit.t(f"challenge.wrong_{kind}")}
            visit.status = int(HTTPStatus.UNPROCESSABLE_ENTITY)

    async def render(self, visit: Visit, challenge: str, *, is_sign_in: bool) -> web.StreamResponse:
        """The page.

        Args:
            challenge: that the person answers; empty if there is none yet.

        Raises:
            CoreError: if it is over, or the core does not answer.
        """
        options = None
        if self.method == PASSKEY and challenge:
            request = pb.GetChallengePasskeyOptionsRequest(challenge=challenge)
            answer = await visit.ask(visit.site.core.challenges.GetChallengePasskeyOptions, request)
            options = as_options(answer.options)
        render = visit.render_with_script if self.method == PASSKEY else visit.render
        return render(
            "challenge.html",
            prompt=self,
            options=options,
            is_sent=bool(visit.value("sent")),
            is_sign_in=is_sign_in,
        )
