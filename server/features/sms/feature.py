"""Text messages: queued by other features, sent by the workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from server.common.times import SWEEP
from server.feature import Feature, Job, Tables
from server.features.sms.names import SMS_TASK

if TYPE_CHECKING:
    from server.parts import CoreParts, WorkerParts


def _tables() -> Tables:
    from server.features.sms.cleanup import delete_text_messages
    from server.features.sms.models import TextMessage

    return Tables(models=(TextMessage,), cleanup={"text_messages": delete_text_messages})


def _provide(parts: CoreParts) -> None:
    from server.features.sms.budgets import SmsBudgets
    from server.features.sms.facade import TextMessages

    settings = parts.settings
    parts.provide(
        TextMessages,
        lambda: TextMessages(
            parts.secrets,
            provider=settings.sms_provider,
            countries=settings.sms_countries,
            product_name=settings.product_name,
            public_url=settings.public_url,
        ),
    )
    parts.provide(
        SmsBudgets,
        lambda: SmsBudgets(parts.redis, parts.secrets, parts.clock, settings.sms_countries),
    )


def _tasks(parts: WorkerParts) -> Mapping[str, Job]:
    from server.features.sms.tasks import tasks

    return tasks(parts)


FEATURE = Feature(
    name="sms",
    schedule={SMS_TASK: SWEEP},
    tables=_tables,
    provide=_provide,
    tasks=_tasks,
)
