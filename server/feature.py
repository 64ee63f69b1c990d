"""What a feature declares of itself; `server.app` lists the features.

Everything that another room needs to know stands in the declaration, so that
adding a feature is its folder and one line. What is data stands in it directly.
What has to be built comes from functions that import inside: the core, a worker
and beat are processes of their own, and each loads only its part.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from server.common.mail import Mail
from server.common.roles import Role

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from portico_kit.credentials import Authenticator
    from portico_kit.edge_state.projection import Projection
    from portico_kit.service import Consent, Service
    from portico_kit.storage.base import Base, ConstraintErrors
    from server.parts import CoreParts, WorkerParts

T = TypeVar("T")

Job = Callable[[], Coroutine[Any, Any, None]]
# Deletes at most so many rows whose time is over at a moment, and returns how many.
DeleteExpired = Callable[["AsyncSession", datetime, int], Awaitable[int]]
# Returns if its dependency answers, raises if it does not.
Probe = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Tables:
    """What a feature has in the database.

    Attributes:
        models: its rows.
        constraint_errors: the refusal that a violated constraint stands for, by its name.
        cleanup: what deletes its expired rows, by table, in this order.
    """

    models: tuple[type[Base], ...] = ()
    constraint_errors: ConstraintErrors = field(default_factory=dict)
    cleanup: Mapping[str, DeleteExpired] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Served:
    """What a feature adds to the core.

    Attributes:
        services: the services of the contract that it serves.
        projections: what it keeps up to date in Valkey for the edge.
        consents: who has to agree, besides the permission, before a repeated call gets
            its first answer: by permission.
        authenticators: the kinds of tokens that it knows, each with what one allows.
        before_start: what is awaited before the core listens.
        background: what runs for as long as the core does.
        on_close: what is awaited when the core ends.
    """

    services: tuple[Service, ...] = ()
    projections: tuple[Projection, ...] = ()
    consents: Mapping[str, Consent] = field(default_factory=dict)
    authenticators: tuple[Authenticator, ...] = ()
    before_start: tuple[Job, ...] = ()
    background: tuple[Job, ...] = ()
    on_close: tuple[Job, ...] = ()


def _no_tables() -> Tables:
    return Tables()


def _provide_nothing(parts: CoreParts) -> None:
    return None


def _serve_nothing(parts: CoreParts) -> Served:
    return Served()


def _no_probes(parts: CoreParts) -> Mapping[str, Probe]:
    return {}


def _no_tasks(parts: WorkerParts) -> Mapping[str, Job]:
    return {}


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of the platform.

    Attributes:
        name: its folder.
        permissions: the permissions of its methods, each with the least role that has it.
        project_permissions: those of them whose methods keep to the projects that the caller
            is bound to (`Call.project_ids`). A bound API key can have no other scopes.
        events: its event types, each with what it says.
        mails: the mails that it sends.
        schedule: how often each of its tasks is due, whether somebody asks for it or not.
        tables: its models, and what belongs to them.
        provide: tells the core how to make what other features may ask for.
        serve: builds what the core serves.
        probes: what readiness asks, by the name of the dependency.
        tasks: the jobs of the workers, by the name of the task.
    """

    name: str
    permissions: Mapping[str, Role] = field(default_factory=dict)
    project_permissions: frozenset[str] = frozenset()
    events: Mapping[str, str] = field(default_factory=dict)
    mails: tuple[Mail, ...] = ()
    schedule: Mapping[str, timedelta] = field(default_factory=dict)
    tables: Callable[[], Tables] = _no_tables
    provide: Callable[[CoreParts], None] = _provide_nothing
    serve: Callable[[CoreParts], Served] = _serve_nothing
    probes: Callable[[CoreParts], Mapping[str, Probe]] = _no_probes
    tasks: Callable[[WorkerParts], Mapping[str, Job]] = _no_tasks


def unique(what: str, declared: Iterable[tuple[str, T]]) -> dict[str, T]:
    """What features declare by name, in one table.

    Args:
        what: the kind of thing, for the error.

    Raises:
        ValueError: if a name is declared twice: one feature must not replace what
            belongs to another.
    """
    table: dict[str, T] = {}
    for name, value in declared:
        if name in table:
            raise ValueError(f"the {what} {name!r} is declared twice")
        table[name] = value
    return table
