"""Webhooks: who is sent which events, and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from portico_kit.tasks.names import EVENT_TASK
from server.common.event_names import ALIASES
from server.common.roles import Role
from server.common.times import SWEEP
from server.feature import Feature, Job, Served, Tables
from server.features.webhooks.mails import MAILS
from server.features.webhooks.names import BACKLOG_TASK, DELIVERY_TASK

if TYPE_CHECKING:
    from server.parts import CoreParts, WorkerParts

EVENTS = {
    **{alias: f"Another name of {name}." for alias, name in ALIASES.items()},
    "webhook.created": "A webhook was created.",
    "webhook.deleted": "A webhook was deleted.",
    "webhook.disabled": "A webhook was disabled by a caller or by a 410 Gone of its receiver.",
    "webhook.test": "A test event, sent to one webhook whatever its event types are.",
    "webhook.updated": "A webhook was changed.",
}


def _tables() -> Tables:
    from server.features.webhooks.cleanup import delete_deliveries
    from server.features.webhooks.models import Attempt, Delivery, Webhook

    return Tables(models=(Webhook, Delivery, Attempt), cleanup={"deliveries": delete_deliveries})


def _provide(parts: CoreParts) -> None:
    from server.features.organizations import ports
    from server.features.webhooks.facade import Subscriptions
    from server.features.webhooks.resolution import Resolver, SystemResolver

    parts.provide(ports.Subscriptions, Subscriptions)
    parts.provide(Resolver, SystemResolver)


def _serve(parts: CoreParts) -> Served:
    from portico.webhooks.v1.webhook_service_pb2 import DESCRIPTOR

    from portico_contract import event_permissions, platform_event_permissions
    from portico_kit.service import Service
    from server.common.outbound_addresses import AddressPolicy
    from server.features.organizations.facade import Tenants
    from server.features.webhooks.event_types import EventTypes
    from server.features.webhooks.resolution import Destinations, Resolver
    from server.features.webhooks.service import WebhookService

    policy = AddressPolicy(allow_loopback=parts.settings.webhook_allow_loopback)
    service = WebhookService(
        secrets=parts.secrets,
        cursors=parts.cursors,
        destinations=Destinations(policy, parts.get(Resolver)),
        tiers=parts.get(Tenants),
        event_types=EventTypes(
            parts.event_descriptions,
            event_permissions(),
            _with_aliases(platform_event_permissions()),
            parts.settings.operator_organization,
        ),
    )
    return Served(services=(Service(DESCRIPTOR.services_by_name["WebhookService"], service),))


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
    schedule={EVENT_TASK: SWEEP, DELIVERY_TASK: SWEEP, BACKLOG_TASK: SWEEP},
    tables=_tables,
    provide=_provide,
    serve=_serve,
    tasks=_tasks,
)
