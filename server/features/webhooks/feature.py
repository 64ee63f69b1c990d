"""Webhooks: who is sent which events, and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from portico_kit.tasks.names import EVENT_TASK
from server.common.event_names import ALIASES
from server.common.roles import Role
from server.common.times import SWEEP
from server.feature import Feature, Job, Served, Tables
from server.features.webhooks.mails import MAILS
from server.features.webhooks.names import (
    BACKLOG_TASK,
    DELIVERY_TASK,
    FAILING_TASK,
    REPLAY_TASK,
)

if TYPE_CHECKING:
    from server.parts import CoreParts, WorkerParts

EVENTS = {
    "replay.cancelled": "A replay was cancelled.",
    "replay.completed": "A replay succeeded or failed.",
    "replay.created": "A replay was started.",
    **{alias: f"Another name of {name}." for alias, name in ALIASES.items()},
    "webhook.created": "A webhook was created.",
    "webhook.deleted": "A webhook was deleted.",
    "webhook.disabled": "A webhook was disabled: by a caller, by a 410 Gone of its receiver, or"
    " because it kept failing.",
    "webhook.failing": "A webhook has accepted nothing for days and will be disabled. Not sent to"
    " that webhook itself.",
    "webhook.test": "A test event, sent to one webhook whatever its event types are.",
    "webhook.updated": "A webhook was changed.",
}


def _tables() -> Tables:
    from server.features.webhooks import cleanup
    from server.features.webhooks.models import (
        Attempt,
        Delivery,
        Webhook,
        WebhookPace,
        WebhookStatistics,
    )
    from server.features.webhooks.replays.models import (
        CONSTRAINT_ERRORS,
        Replay,
        ReplayedDelivery,
    )

    return Tables(
        models=(
            Webhook,
            WebhookPace,
            Delivery,
            Attempt,
            WebhookStatistics,
            Replay,
            ReplayedDelivery,
        ),
        constraint_errors=CONSTRAINT_ERRORS,
        cleanup={
            "deliveries": cleanup.delete_deliveries,
            "replays": cleanup.delete_replays,
            "webhook_statistics": cleanup.delete_statistics,
        },
    )


def _provide(parts: CoreParts) -> None:
    from server.features.organizations import ports
    from server.features.webhooks.facade import Subscriptions
    from server.features.webhooks.resolution import Resolver, SystemResolver

    parts.provide(ports.Subscriptions, Subscriptions)
    parts.provide(Resolver, SystemResolver)


def _serve(parts: CoreParts) -> Served:
    from portico.webhooks.v1 import replay_service_pb2, webhook_service_pb2

    from portico_contract import event_permissions, platform_event_permissions
    from portico_kit.service import Service
    from server.common.outbound_addresses import AddressPolicy
    from server.features.organizations.facade import Tenants
    from server.features.webhooks.event_types import EventTypes
    from server.features.webhooks.replays.service import ReplayService
    from server.features.webhooks.resolution import Destinations, Resolver
    from server.features.webhooks.service import WebhookService
    from server.features.webhooks.settings import Settings

    policy = AddressPolicy(allow_loopback=parts.settings.webhook_allow_loopback)
    event_types = EventTypes(
        parts.event_descriptions,
        event_permissions(),
        _with_aliases(platform_event_permissions()),
        parts.settings.operator_organization,
    )
    webhooks = WebhookService(
        secrets=parts.secrets,
        cursors=parts.cursors,
        destinations=Destinations(policy, parts.get(Resolver)),
        tiers=parts.get(Tenants),
        event_types=event_types,
        settings=Settings(parts.secrets),
    )
    replays = ReplayService(parts.cursors, event_types)
    return Served(
        services=(
            Service(webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"], webhooks),
            Service(replay_service_pb2.DESCRIPTOR.services_by_name["ReplayService"], replays),
        )
    )


def _with_aliases(permissions: Mapping[str, str]) -> Mapping[str, str]:
    return {**permissions, **{alias: permissions[name] for alias, name in ALIASES.items()}}


def _tasks(parts: WorkerParts) -> Mapping[str, Job]:
    from server.features.webhooks.tasks import tasks

    return tasks(parts)


FEATURE = Feature(
    name="webhooks",
    permissions={"webhooks:read": Role.VIEWER, "webhooks:write": Role.MEMBER},
    events=EVENTS,
    mails=MAILS,
    schedule={
        EVENT_TASK: SWEEP,
        DELIVERY_TASK: SWEEP,
        BACKLOG_TASK: SWEEP,
        FAILING_TASK: timedelta(minutes=1),
        REPLAY_TASK: SWEEP,
    },
    tables=_tables,
    provide=_provide,
    serve=_serve,
    tasks=_tasks,
)
