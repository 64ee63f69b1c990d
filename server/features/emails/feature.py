"""Mails: queued by the other features, sent by the workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from server.common.times import SWEEP
from server.feature import Feature, Job, Tables
from server.features.emails.names import EMAIL_TASK

if TYPE_CHECKING:
    from server.parts import CoreParts, WorkerParts


def _tables() -> Tables:
    from server.features.emails.cleanup import delete_emails
    from server.features.emails.models import Email

    return Tables(models=(Email,), cleanup={"emails": delete_emails})


def _provide(parts: CoreParts) -> None:
    from server.features.emails.budgets import MailBudgets
    from server.features.emails.facade import Mailer

    parts.provide(Mailer, lambda: Mailer(parts.secrets))
    parts.provide(MailBudgets, lambda: MailBudgets(parts.limiter))


def _tasks(parts: WorkerParts) -> Mapping[str, Job]:
    from server.features.emails.tasks import tasks

    return tasks(parts)


FEATURE = Feature(
    name="emails",
    schedule={EMAIL_TASK: SWEEP},
    tables=_tables,
    provide=_provide,
    tasks=_tasks,
)
