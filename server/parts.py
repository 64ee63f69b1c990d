"""What features are built from, in the core and in a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from portico_kit.clock import Clock
from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.paging import Cursors
from portico_kit.secrets import Secrets
from portico_kit.storage.base import Sessions
from portico_kit.storage.reads import Reads
from portico_kit.storage.statements import Statements
from server.common.mail import Mail
from server.common.roles import Roles
from server.feature import Job, Probe
from server.settings import Settings, WorkerSettings

if TYPE_CHECKING:
    from grpc import aio

    from server.common.limiter import Limiter

T = TypeVar("T")


class Provided:
    """What features offer to each other, by its type: made when it is first asked for.

    A feature asks for the facade of one below it, or for a protocol of its own
    that one above it fulfils; so the order of the features does not matter.
    """

    def __init__(self, replaced: Mapping[type, object] | None = None) -> None:
        """Takes objects, by their type, in place of those that features would make."""
        self._makers: dict[type, Callable[[], Any]] = {}
        self._made: dict[type, Any] = dict(replaced or {})

    def provide(self, kind: type[T], make: Callable[[], T]) -> None:
        """Says how something is made.

        Raises:
            ValueError: if that was said before.
        """
        if kind in self._makers:
            raise ValueError(f"{kind.__qualname__} is provided twice")
        self._makers[kind] = make

    def get(self, kind: type[T]) -> T:
        """The one object of its type.

        Raises:
            LookupError: if no feature provides it.
            RecursionError: if its parts need each other.
        """
        if kind not in self._made:
            if kind not in self._makers:
                raise LookupError(f"no feature provides {kind.__module__}.{kind.__qualname__}")
            self._made[kind] = self._makers[kind]()
        return cast("T", self._made[kind])


@dataclass(frozen=True, slots=True)
class CoreParts:
    """What the core has for every feature.

    Attributes:
        statements: for single statements that change rows, and so may wait for a lock.
        authorize: a channel to edge/authorize.
        ratelimit: a channel to edge/ratelimit.
        roles: the permissions of each role, from all features.
        project_permissions: what a credential that is bound to projects can hold.
        event_descriptions: every event type with what it says, from all features.
        provided: what the features offer to each other.
        probes: what readiness asks, from all features.
    """

    settings: Settings
    clock: Clock
    secrets: Secrets
    engine: AsyncEngine
    reads: Reads
    statements: Statements
    redis: Redis
    authorize: aio.Channel
    ratelimit: aio.Channel
    cursors: Cursors
    limiter: Limiter
    invalidator: CacheInvalidator
    roles: Roles
    project_permissions: frozenset[str]
    event_descriptions: Mapping[str, str]
    provided: Provided
    probes: dict[str, Probe] = field(default_factory=dict)

    def provide(self, kind: type[T], make: Callable[[], T]) -> None:
        """See `Provided.provide`."""
        self.provided.provide(kind, make)

    def get(self, kind: type[T]) -> T:
        """See `Provided.get`."""
        return self.provided.get(kind)


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker has for every feature.

    Attributes:
        mails: every mail of the platform, by its name.
        background: what runs beside the tasks from the start.
        on_close: what is awaited before the connections are let go.
    """

    settings: WorkerSettings
    clock: Clock
    secrets: Secrets
    engine: AsyncEngine
    sessions: Sessions
    redis: Redis
    mails: Mapping[str, Mail]
    background: list[Job] = field(default_factory=list)
    on_close: list[Job] = field(default_factory=list)
