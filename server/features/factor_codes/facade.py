"""Codes by mail and by SMS, shown in answer to a challenge."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from server.common.phone_numbers import PhoneNumber, stored_phone_number
from server.features.emails.budgets import MailBudgets
from server.features.emails.facade import Mailer
from server.features.factor_codes.codes import Codes
from server.features.factor_codes.mails import CHALLENGE_CODE
from server.features.factor_codes.repository import CodeRepository, CodeSubject
from server.features.factors.errors import FactorNotFoundError
from server.features.factors.facade import Factors
from server.features.factors.ports import Answer, FactorChallenge
from server.features.sms.budgets import SmsBudgets, SmsSend
from server.features.sms.facade import TextMessages
from server.features.users.notices import when_and_where

EMAIL, SMS = "email", "sms"
NUMBER_PURPOSE = "phone-number"


@dataclass(frozen=True, slots=True)
class MailCodes:
    """Codes to the address of the account, whichever it is at the moment."""

    factors: Factors
    codes: Codes
    mailer: Mailer
    budgets: MailBudgets

    @property
    def method(self) -> str:
        """The name of the method."""
        return EMAIL

    async def send(self, challenge: FactorChallenge, call: Call) -> None:
        """Mails a code for a challenge.

        Raises:
            FactorNotFoundError: if the person has no codes by mail.
            CodeSentRecentlyError: if one was mailed within the last minute.
            RateLimitExceededError: if too many were mailed to the address.
            UnavailableError: if nobody can say how many were.
        """
        account = challenge.account
        if not await self.factors.of_kind(account.id, EMAIL, call):
            raise FactorNotFoundError
        code = await self.codes.issue(
            _subject(challenge, EMAIL), account.email, call, until=challenge.expires_at
        )
        await self.budgets.charge(call, account.email, "code")
        self.mailer.send(
            call,
            account.email,
            CHALLENGE_CODE,
            code=code.digits,
            valid_for=code.valid_for(call.now),
            display_name=account.display_name,
            **when_and_where(call),
        )

    async def check(
        self, challenge: FactorChallenge, answer: Answer, call: Call
    ) -> Authentication | None:
        """Whether it is the newest code for the challenge, mailed to the address of now."""
        account = challenge.account
        factors = await self.factors.of_kind(account.id, EMAIL, call)
        subject = _subject(challenge, EMAIL)
        if not factors or not await self.codes.use(subject, account.email, answer.code, call):
            return None
        await self.factors.note_use(factors[0], call)
        return Authentication(EMAIL, call.now)


class PhoneNumbers:
    """The phone numbers of people, which their factors refer to."""

    def __init__(self, secrets: Secrets, factors: Factors) -> None:
        self._secrets = secrets
        self._factors = factors

    def seal(self, number: PhoneNumber) -> bytes:
        """The form in which a number is kept."""
        return self._secrets.seal(NUMBER_PURPOSE, number.e164.encode())

    def unseal(self, sealed: bytes) -> PhoneNumber:
        """A number that was kept."""
        return stored_phone_number(self._secrets.unseal(NUMBER_PURPOSE, sealed).decode())

    async def find(self, user_id: UUID, call: Call) -> tuple[UUID, PhoneNumber] | None:
        """The number of a person, with its factor; None if there is none."""
        factor_ids = await self._factors.of_kind(user_id, SMS, call)
        found = await CodeRepository(call.db).number(factor_ids) if factor_ids else None
        return None if found is None else (found.factor_id, self.unseal(found.sealed_number))


@dataclass(frozen=True, slots=True)
class SmsCodes:
    """Codes to the phone number of a person."""

    factors: Factors
    codes: Codes
    numbers: PhoneNumbers
    messages: TextMessages
    budgets: SmsBudgets

    @property
    def method(self) -> str:
        """The name of the method."""
        return SMS

    async def send(self, challenge: FactorChallenge, call: Call) -> None:
        """Sends a code for a challenge.

        Raises:
            FactorNotFoundError: if the person has no phone number.
            SmsNotAvailableError: if text messages are turned off by now.
            SmsCountryNotAllowedError: if they are to the country of the number.
            SmsStoppedError: if they are stopped for that country.
            RateLimitExceededError: if a budget is used up.
            UnavailableError: if nobody can say whether it is.
        """
        found = await self.numbers.find(challenge.account.id, call)
        if found is None:
            raise FactorNotFoundError
        _, number = found
        self.messages.require_allowed(number)
        send = SmsSend(new_id(), number.country)
        await self.budgets.charge(send, number, challenge.account.id, call, new=False)
        subject = _subject(challenge, SMS)
        code = await self.codes.issue(
            subject,
            number.e164,
            call,
            code_id=send.id,
            until=challenge.expires_at,
            at_once=True,
        )
        self.messages.send_code(
            call, number, code.digits, code.expires_at, code.valid_for(call.now)
        )

    async def check(
        self, challenge: FactorChallenge, answer: Answer, call: Call
    ) -> Authentication | None:
        """Whether it is the newest code for the challenge, sent to the number of now."""
        found = await self.numbers.find(challenge.account.id, call)
        if found is None:
            return None
        factor_id, number = found
        subject = _subject(challenge, SMS)
        code_id = await self.codes.use(subject, number.e164, answer.code, call)
        if code_id is None:
            return None
        send = SmsSend(code_id, number.country)
        call.after_commit.append(partial(self.budgets.verified, send))
        await self.factors.note_use(factor_id, call)
        return Authentication(SMS, call.now)


def _subject(challenge: FactorChallenge, method: str) -> CodeSubject:
    return CodeSubject("challenge", challenge.id, method)
