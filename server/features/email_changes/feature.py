"""Changes of the email address that a person signs in with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.feature import Feature, Served, Tables
from server.features.email_changes.mails import MAILS

if TYPE_CHECKING:
    from server.parts import CoreParts


def _tables() -> Tables:
    from server.features.email_changes.cleanup import delete_email_changes
    from server.features.email_changes.models import EmailChange

    return Tables(models=(EmailChange,), cleanup={"email_changes": delete_email_changes})


def _provide(parts: CoreParts) -> None:
    from server.features.auth.ports import PendingEmailChanges
    from server.features.email_changes.facade import EmailChanges
    from server.features.users.ports import ReservedAddresses

    parts.provide(ReservedAddresses, EmailChanges)
    parts.provide(PendingEmailChanges, EmailChanges)


def _serve(parts: CoreParts) -> Served:
    from portico.email_changes.v1.email_change_service_pb2 import DESCRIPTOR

    from portico_kit.service import Service
    from server.features.auth.facade import Sessions
    from server.features.auth.one_time_tokens import OneTimeTokens
    from server.features.email_changes.service import EmailChangeService
    from server.features.emails.budgets import MailBudgets
    from server.features.emails.facade import Mailer
    from server.features.factors.facade import Factors
    from server.features.users.current_password import CurrentPassword
    from server.features.users.facade import Accounts

    service = EmailChangeService(
        accounts=parts.get(Accounts),
        current_password=parts.get(CurrentPassword),
        sessions=parts.get(Sessions),
        tokens=parts.get(OneTimeTokens),
        mailer=parts.get(Mailer),
        budgets=parts.get(MailBudgets),
        factors=parts.get(Factors),
        secrets=parts.secrets,
    )
    return Served(services=(Service(DESCRIPTOR.services_by_name["EmailChangeService"], service),))


FEATURE = Feature(name="email_changes", mails=MAILS, tables=_tables, provide=_provide, serve=_serve)
