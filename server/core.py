"""Builds the core of what `server.app` lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from grpc import aio
from redis.asyncio import Redis

from portico_contract import event_data, platform_event_permissions
from portico_kit.call import Records
from portico_kit.clock import Clock, utc_now
from portico_kit.credentials import Authenticator, ServiceAuthenticator
from portico_kit.edge_state.access_changes import AccessChanges, AccessWatcher
from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.jwt import TokenVerifier
from portico_kit.paging import Cursors
from portico_kit.rpc.access import Access
from portico_kit.rpc.errors import Errors
from portico_kit.rpc.idempotency import FormerCallers
from portico_kit.rpc.kept_answers import KeptAnswers
from portico_kit.rpc.pipeline import Pipeline
from portico_kit.service import Service
from portico_kit.storage.base import create_engine
from portico_kit.storage.reads import Reads
from portico_kit.storage.statements import Statements
from portico_kit.tasks.notifier import CeleryTaskNotifier, TaskNotifier
from server.app import EVENTS, FEATURES, PROJECT_PERMISSIONS, ROLES, interceptors
from server.common.limiter import Limiter
from server.common.records import RECORDS, IdempotentAnswer
from server.feature import Job, Served, unique
from server.features.auth.signing_keys import SigningKeys
from server.features.auth.standings import SessionStandings
from server.features.events.ports import Subscribers
from server.features.organizations.facade import Tenants
from server.features.organizations.operator import OperatorOrganization
from server.interceptors import InterceptorParts
from server.parts import CoreParts, Provided
from server.settings import Settings
from server.stream_subscribers import StreamSubscribers


@dataclass(frozen=True, slots=True)
class Core:
    """A core that is built; nothing is connected before it is used."""

    parts: CoreParts
    pipeline: Pipeline
    served: Sequence[Served]

    @property
    def services(self) -> list[Service]:
        """The services of all features."""
        return [service for one in self.served for service in one.services]

    @property
    def background(self) -> list[Job]:
        """What runs for as long as the core does."""
        own = [job for one in self.served for job in one.background]
        return own + [kept.reconcile_forever for one in self.served for kept in one.projections]

    async def prepare(self) -> None:
        """Does what has to be done before the core listens."""
        for one in self.served:
            for job in one.before_start:
                await job()

    async def close(self) -> None:
        """Lets every connection go."""
        for one in self.served:
            for job in one.on_close:
                await job()
        await self.parts.authorize.close()
        await self.parts.ratelimit.close()
        await self.parts.reads.close()
        await self.parts.statements.close()
        await self.parts.redis.aclose()
        await self.parts.engine.dispose()


def build(
    settings: Settings,
    *,
    clock: Clock = utc_now,
    notifier: TaskNotifier | None = None,
    replaced: Mapping[type, object] | None = None,
    authenticators: Sequence[Authenticator] = (),
) -> Core:
    """Builds everything.

    Args:
        notifier: by default the one that speaks with Celery.
        replaced: objects in place of those that features would make, by their type.
        authenticators: of kinds of tokens beside those of the features.
    """
    parts = _parts(settings, clock, Provided(replaced))
    parts.provide(Records, lambda: _records(parts))
    parts.provide(Subscribers, lambda: StreamSubscribers(clock, parts.get(Records)))
    for feature in FEATURES:
        feature.provide(parts)
    parts.probes.update(
        unique("probe", (item for one in FEATURES for item in one.probes(parts).items()))
    )
    served = [feature.serve(parts) for feature in FEATURES]
    unique(
        "service", ((each.descriptor.full_name, each) for one in served for each in one.services)
    )
    served.append(Served(authenticators=tuple(authenticators)))
    notifier = notifier or CeleryTaskNotifier(settings.redis_url)
    uses = _interceptor_parts(parts, served, notifier)
    around = interceptors(uses)
    [access] = [each for each in around if isinstance(each, Access)]
    cast("StreamSubscribers", parts.get(Subscribers)).use(access, uses.verifier)
    return Core(parts, Pipeline(Errors(), around, clock, parts.get(Records)), served)


def _records(parts: CoreParts) -> Records:
    return replace(
        RECORDS,
        platform_events=frozenset(platform_event_permissions()),
        event_data={name: data.full_name for name, data in event_data().items()},
        operator_organization=parts.get(OperatorOrganization).current,
        access_changed=AccessChanges(parts.redis).publish,
    )


def _interceptor_parts(
    parts: CoreParts, served: Sequence[Served], notifier: TaskNotifier
) -> InterceptorParts:
    authenticators = [kind for one in served for kind in one.authenticators]
    kinds = [authenticator.kind for authenticator in authenticators]
    keys, issuer = parts.get(SigningKeys), parts.settings.issuer
    answers = KeptAnswers(parts.secrets, IdempotentAnswer)
    tables = [feature.tables() for feature in FEATURES]
    return InterceptorParts(
        engine=parts.engine,
        notifier=notifier,
        verifier=TokenVerifier(keys, issuer, parts.clock, kinds),
        authenticators=authenticators,
        service=ServiceAuthenticator(parts.settings.internal_token.get_secret_value()),
        former_callers=FormerCallers(parts.engine, answers),
        access_changes=AccessWatcher(parts.redis),
        standings=parts.get(SessionStandings),
        answers=answers,
        memberships=parts.get(Tenants).memberships,
        consents=unique("consent", (item for one in served for item in one.consents.items())),
        constraint_errors=unique(
            "constraint", (item for one in tables for item in one.constraint_errors.items())
        ),
    )


def _parts(settings: Settings, clock: Clock, provided: Provided) -> CoreParts:
    secrets = settings.secrets
    redis = Redis.from_url(settings.redis_url, socket_connect_timeout=1, socket_timeout=2)
    ratelimit = aio.insecure_channel(f"unix:{settings.socket('ratelimit')}")
    return CoreParts(
        settings=settings,
        clock=clock,
        secrets=secrets,
        engine=create_engine(settings.database_url, pool_size=settings.database_pool_size),
        reads=Reads(settings.database_url),
        statements=Statements(settings.database_url),
        redis=redis,
        authorize=aio.insecure_channel(f"unix:{settings.socket('authorize')}"),
        ratelimit=ratelimit,
        cursors=Cursors(secrets),
        limiter=Limiter(ratelimit, secrets, settings.budget_timeout),
        invalidator=CacheInvalidator(redis),
        roles=ROLES,
        project_permissions=PROJECT_PERMISSIONS,
        event_descriptions=EVENTS,
        provided=provided,
    )
