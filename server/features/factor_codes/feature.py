"""Codes by mail and by SMS as second factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.feature import Feature, Served, Tables
from server.features.factor_codes.mails import MAILS

if TYPE_CHECKING:
    from server.parts import CoreParts


def _tables() -> Tables:
    from server.features.factor_codes.cleanup import delete_codes
    from server.features.factor_codes.models import SentCode, SmsFactor

    return Tables(models=(SentCode, SmsFactor), cleanup={"factor_codes": delete_codes})


def _provide(parts: CoreParts) -> None:
    from server.features.emails.budgets import MailBudgets
    from server.features.emails.facade import Mailer
    from server.features.factor_codes.codes import Codes
    from server.features.factor_codes.facade import MailCodes, PhoneNumbers, SmsCodes
    from server.features.factors.facade import Factors
    from server.features.sms.budgets import SmsBudgets
    from server.features.sms.facade import TextMessages

    parts.provide(Codes, lambda: Codes(parts.secrets))
    parts.provide(PhoneNumbers, lambda: PhoneNumbers(parts.secrets, parts.get(Factors)))
    parts.provide(
        MailCodes,
        lambda: MailCodes(
            parts.get(Factors), parts.get(Codes), parts.get(Mailer), parts.get(MailBudgets)
        ),
    )
    parts.provide(
        SmsCodes,
        lambda: SmsCodes(
            parts.get(Factors),
            parts.get(Codes),
            parts.get(PhoneNumbers),
            parts.get(TextMessages),
            parts.get(SmsBudgets),
        ),
    )


def _serve(parts: CoreParts) -> Served:
    from portico.factor_codes.v1.factor_code_service_pb2 import DESCRIPTOR

    from portico_kit.service import Service
    from server.features.emails.budgets import MailBudgets
    from server.features.emails.facade import Mailer
    from server.features.factor_codes.codes import Codes
    from server.features.factor_codes.facade import PhoneNumbers
    from server.features.factor_codes.service import FactorCodeService
    from server.features.factors.facade import Factors
    from server.features.sms.budgets import SmsBudgets
    from server.features.sms.facade import TextMessages
    from server.features.users.facade import Accounts

    service = FactorCodeService(
        accounts=parts.get(Accounts),
        factors=parts.get(Factors),
        codes=parts.get(Codes),
        mailer=parts.get(Mailer),
        mail_budgets=parts.get(MailBudgets),
        numbers=parts.get(PhoneNumbers),
        messages=parts.get(TextMessages),
        sms_budgets=parts.get(SmsBudgets),
    )
    return Served(services=(Service(DESCRIPTOR.services_by_name["FactorCodeService"], service),))


FEATURE = Feature(name="factor_codes", mails=MAILS, tables=_tables, provide=_provide, serve=_serve)
