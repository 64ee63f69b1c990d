"""Codes as factors: the methods that enroll them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from portico.factor_codes.v1 import factor_code_service_pb2 as pb

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from portico_kit.errors import UnauthenticatedError
from portico_kit.ids import new_id
from server.common.email_addresses import masked
from server.common.phone_numbers import phone_number
from server.features.emails.budgets import MailBudgets
from server.features.emails.facade import Mailer
from server.features.factor_codes.codes import Codes
from server.features.factor_codes.errors import FactorExistsError
from server.features.factor_codes.facade import EMAIL, SMS, PhoneNumbers
from server.features.factor_codes.mails import ENROLLMENT_CODE
from server.features.factor_codes.models import CODE_LIFETIME
from server.features.factor_codes.repository import CodeRepository, CodeSubject
from server.features.factors.errors import CodeInvalidError, EnrollmentExpiredError
from server.features.factors.facade import Factors
from server.features.sms.budgets import SmsBudgets, SmsSend
from server.features.sms.facade import TextMessages
from server.features.users.facade import Account, Accounts
from server.features.users.notices import when_and_where

DEFAULT_EMAIL_NAME = "Codes by mail"
EXPIRES_IN = int(CODE_LIFETIME.total_seconds())


@dataclass(frozen=True, slots=True)
class FactorCodeService:
    """Serves portico.factor_codes.v1.FactorCodeService."""

    accounts: Accounts
    factors: Factors
    codes: Codes
    mailer: Mailer
    mail_budgets: MailBudgets
    numbers: PhoneNumbers
    messages: TextMessages
    sms_budgets: SmsBudgets

    async def BeginEmailEnrollment(
        self, request: pb.BeginEmailEnrollmentRequest, call: Call
    ) -> pb.BeginEmailEnrollmentResponse:
        account = await self.accounts.load(call.user_id)
        if account is None or not account.verified:
            raise UnauthenticatedError
        if await self.factors.of_kind(account.id, EMAIL, call):
            raise FactorExistsError
        code = await self.codes.issue(_subject(EMAIL, call), account.email, call)
        await self.mail_budgets.charge(call, account.email, "code")
        self.mailer.send(
            call,
            account.email,
            ENROLLMENT_CODE,
            code=code.digits,
            valid_for=code.valid_for(call.now),
            display_name=account.display_name,
            **when_and_where(call),
        )
        sent_to = masked(account.email)
        return pb.BeginEmailEnrollmentResponse(sent_to=sent_to, expires_in=EXPIRES_IN)

    async def ConfirmEmailEnrollment(
        self, request: pb.ConfirmEmailEnrollmentRequest, call: Call
    ) -> pb.ConfirmEmailEnrollmentResponse:
        account = await self._lock(call)
        if await self.factors.of_kind(account.id, EMAIL, call):
            raise FactorExistsError
        subject = _subject(EMAIL, call)
        if await CodeRepository(call.db).find(subject, call.now) is None:
            raise EnrollmentExpiredError
        if await self.codes.use(subject, account.email, request.code, call) is None:
            raise CodeInvalidError
        name, shown = request.name or DEFAULT_EMAIL_NAME, Authentication(EMAIL, call.now)
        added = await self.factors.add(EMAIL, name, shown, call)
        return pb.ConfirmEmailEnrollmentResponse(
            factor=added.message, recovery_codes=added.recovery_codes
        )

    async def BeginSmsEnrollment(
        self, request: pb.BeginSmsEnrollmentRequest, call: Call
    ) -> pb.BeginSmsEnrollmentResponse:
        """Sends a code to a number, if it may be sent there; what that costs is charged first."""
        number = phone_number(request.phone_number)
        self.messages.require_allowed(number)
        found = await self.numbers.find(call.user_id, call)
        if found is not None and found[1] == number:
            raise FactorExistsError
        send = SmsSend(new_id(), number.country)
        await self.sms_budgets.charge(send, number, call.user_id, call, new=True)
        code = await self.codes.issue(
            _subject(SMS, call),
            number.e164,
            call,
            code_id=send.id,
            sealed_number=self.numbers.seal(number),
            at_once=True,
        )
        self.messages.send_code(
            call, number, code.digits, code.expires_at, code.valid_for(call.now)
        )
        return pb.BeginSmsEnrollmentResponse(sent_to=number.masked, expires_in=EXPIRES_IN)

    async def ConfirmSmsEnrollment(
        self, request: pb.ConfirmSmsEnrollmentRequest, call: Call
    ) -> pb.ConfirmSmsEnrollmentResponse:
        """Enrolls the number that the code was sent to; the one before goes."""
        account = await self._lock(call)
        subject, repository = _subject(SMS, call), CodeRepository(call.db)
        pending = await repository.find(subject, call.now)
        if pending is None or pending.sealed_number is None:
            raise EnrollmentExpiredError
        number = self.numbers.unseal(pending.sealed_number)
        code_id = await self.codes.use(subject, number.e164, request.code, call)
        if code_id is None:
            raise CodeInvalidError
        send = SmsSend(code_id, number.country)
        call.after_commit.append(partial(self.sms_budgets.verified, send))
        before = await self.factors.of_kind(account.id, SMS, call)
        name, shown = request.name or number.masked, Authentication(SMS, call.now)
        added = await self.factors.add(SMS, name, shown, call)
        repository.add_number(added.factor.id, self.numbers.seal(number))
        for factor_id in before:
            await self.factors.remove(factor_id, call)
        return pb.ConfirmSmsEnrollmentResponse(
            factor=added.message, recovery_codes=added.recovery_codes
        )

    async def _lock(self, call: Call) -> Account:
        """The caller's account: nobody else adds a factor to it meanwhile."""
        account = await self.accounts.lock(call.db, call.user_id)
        if account is None:
            raise UnauthenticatedError
        return account


def _subject(method: str, call: Call) -> CodeSubject:
    return CodeSubject("enrollment", call.user_id, method)
