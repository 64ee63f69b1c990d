"""Which of the webhooks that subscribe to an event are sent it, by their filters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol, TypeVar
from uuid import UUID

import structlog

from server.common.records import Event
from server.features.webhooks.filters import Filter, FilterError, compile_filter
from server.features.webhooks.payload import event_json

# Compiled filters that are kept.
MAX_COMPILED = 2000

log = structlog.get_logger("webhooks")


class Filtered(Protocol):
    """A webhook as far as its filter goes."""

    @property
    def id(self) -> UUID:
        """The ID of the webhook."""
        ...

    @property
    def version(self) -> int:
        """The version of the webhook: another filter is another version."""
        ...

    @property
    def filter(self) -> Mapping[str, Any] | None:
        """The pattern; None if every event passes."""
        ...


W = TypeVar("W", bound=Filtered)


def filters_of(webhooks: Iterable[Filtered]) -> Mapping[UUID, Filter]:
    """The filters of some webhooks, by the IDs of those that have one."""
    found = {
        webhook.id: _compiled(_Stored(webhook.id, webhook.version, webhook.filter))
        for webhook in webhooks
        if webhook.filter is not None
    }
    return {webhook_id: each for webhook_id, each in found.items() if each is not None}


def passing(webhooks: Sequence[W], event: Event, filters: Mapping[UUID, Filter]) -> Sequence[W]:
    """Those of some webhooks whose filter an event passes.

    Args:
        filters: of these webhooks, and perhaps of others; without any it costs nothing.
    """
    if not filters or not any(webhook.id in filters for webhook in webhooks):
        return webhooks
    shown = event_json(event)
    return [
        webhook
        for webhook in webhooks
        if (one := filters.get(webhook.id)) is None or one.matches(shown)
    ]


@dataclass(frozen=True, slots=True)
class _Stored:
    webhook_id: UUID
    version: int
    pattern: Mapping[str, Any] = field(compare=False)


@lru_cache(MAX_COMPILED)
def _compiled(stored: _Stored) -> Filter | None:
    """The filter of a version of a webhook; None if it is none, and every event passes."""
    try:
        return compile_filter(stored.pattern)
    except FilterError:
        # Checked before it was stored. Whatever it is: too much is better than nothing.
        log.exception("filter_invalid", webhook=str(stored.webhook_id))
        return None
