"""Builds the core: the one place where objects are made. It reads like a parts list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from grpc import aio
from portico.auth.v1 import auth_service_pb2
from portico.health.v1 import health_service_pb2
from portico.keys.v1 import api_key_service_pb2
from portico.organizations.v1 import organization_service_pb2
from portico.users.v1 import user_service_pb2
from portico.webhooks.v1 import webhook_service_pb2
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from portico_kit.clock import Clock, utc_now
from portico_kit.credentials import Authenticator, ServiceAuthenticator
from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.edge_state.projection import Projection
from portico_kit.jwt import TokenIssuer, TokenVerifier
from portico_kit.paging import Cursors
from portico_kit.rpc.access import Access
from portico_kit.rpc.database_errors import DatabaseErrors
from portico_kit.rpc.errors import Errors
from portico_kit.rpc.idempotency import FormerCallers, Idempotency
from portico_kit.rpc.kept_answers import KeptAnswers
from portico_kit.rpc.pipeline import Feature, Pipeline
from portico_kit.rpc.telemetry import Telemetry
from portico_kit.rpc.transaction import Transaction
from portico_kit.rpc.validation import Validation
from portico_kit.storage.base import create_engine
from portico_kit.storage.reads import Reads
from portico_kit.tasks.notifier import CeleryTaskNotifier, TaskNotifier
from server.common.limiter import Limiter
from server.features.auth.authenticator import PersonAuthenticator
from server.features.auth.email_verification import EmailVerification
from server.features.auth.facade import Sessions
from server.features.auth.one_time_tokens import OneTimeTokens
from server.features.auth.service import AuthService
from server.features.auth.sign_in import SignIn
from server.features.auth.signing_keys import SigningKeys
from server.features.auth.token_pairs import TokenPairs
from server.features.emails.budgets import MailBudgets
from server.features.emails.facade import Mailer
from server.features.health.probes import probes
from server.features.health.service import HealthService
from server.features.keys.authenticator import KeyAuthenticator
from server.features.keys.facade import ApiKeys
from server.features.keys.imported.adoption import FirstUses
from server.features.keys.imported.importer import Imports
from server.features.keys.imported.prefixes import ImportedPrefixesProjection
from server.features.keys.key_verifier import KeyVerifier
from server.features.keys.service import ApiKeyService
from server.features.organizations.appointments import Appointments
from server.features.organizations.facade import Tenants
from server.features.organizations.invitations import Invitations
from server.features.organizations.limits import LimitsProjection
from server.features.organizations.models import CONSTRAINT_ERRORS as ORGANIZATION_CONSTRAINTS
from server.features.organizations.offboarding import Offboarding
from server.features.organizations.service import OrganizationService
from server.features.users.facade import Accounts
from server.features.users.models import CONSTRAINT_ERRORS as USER_CONSTRAINTS
from server.features.users.passwords import Passwords
from server.features.users.service import UserService
from server.features.webhooks.addresses import AddressPolicy
from server.features.webhooks.facade import Subscriptions
from server.features.webhooks.resolution import Destinations, Resolver, SystemResolver
from server.features.webhooks.service import WebhookService
from server.settings import Settings


@dataclass(slots=True)
class Core:
    """The parts of a running core, and what has to be started and closed."""

    pipeline: Pipeline
    features: list[Feature]
    signing_keys: SigningKeys
    copies: list[Projection]
    engine: AsyncEngine
    reads: Reads
    redis: Redis
    channels: list[aio.Channel] = field(default_factory=list)

    async def close(self) -> None:
        """Lets every connection go."""
        for channel in self.channels:
            await channel.close()
        await self.reads.close()
        await self.redis.aclose()
        await self.engine.dispose()


def build(
    settings: Settings,
    *,
    clock: Clock = utc_now,
    waker: TaskNotifier | None = None,
    resolver: Resolver | None = None,
    authenticators: Sequence[Authenticator] = (),
) -> Core:
    """Builds everything; nothing is connected before it is used.

    Args:
        authenticators: of kinds of credentials beside those of the features.
    """
    secrets = settings.secrets
    engine = create_engine(settings.database_url, pool_size=settings.database_pool_size)
    reads = Reads(settings.database_url)
    redis = Redis.from_url(settings.redis_url, socket_connect_timeout=1, socket_timeout=2)
    authorize = aio.insecure_channel(f"unix:{settings.sockets}/authorize.sock")
    ratelimit = aio.insecure_channel(f"unix:{settings.sockets}/ratelimit.sock")

    cursors = Cursors(secrets)
    mailer = Mailer(secrets)
    limiter = Limiter(ratelimit, secrets)
    budgets = MailBudgets(limiter)
    announcer = CacheInvalidator(redis)
    limits_copy = LimitsProjection(engine, redis)
    families_copy = ImportedPrefixesProjection(engine, redis)
    signing_keys = SigningKeys(engine, secrets, clock)
    issuer = TokenIssuer(signing_keys, settings.issuer, clock)

    accounts = Accounts(reads)
    passwords = Passwords(settings.bcrypt_rounds)
    sessions = Sessions(reads, clock)
    one_time_tokens = OneTimeTokens(engine, secrets)
    verification = EmailVerification(accounts, one_time_tokens, mailer, budgets)
    tenants = Tenants(reads)
    api_keys = ApiKeys()
    offboarding = Offboarding(api_keys)
    first_uses = FirstUses(secrets, reads, engine)
    kinds: list[Authenticator] = [
        PersonAuthenticator(sessions, tenants),
        KeyAuthenticator(reads, clock),
        *authenticators,
    ]

    features = [
        Feature(
            auth_service_pb2.DESCRIPTOR.services_by_name["AuthService"],
            AuthService(
                accounts=accounts,
                passwords=passwords,
                sign_in=SignIn(accounts, passwords, verification),
                verification=verification,
                sessions=sessions,
                signing_keys=signing_keys,
                pairs=TokenPairs(issuer, tenants, secrets),
                tokens=one_time_tokens,
                tenants=tenants,
                mailer=mailer,
                limiter=limiter,
                cursors=cursors,
            ),
        ),
        Feature(
            user_service_pb2.DESCRIPTOR.services_by_name["UserService"],
            UserService(
                accounts=accounts,
                passwords=passwords,
                sessions=sessions,
                ownerships=tenants,
                memberships=offboarding,
                tokens=one_time_tokens,
                mailer=mailer,
                budgets=budgets,
                cursors=cursors,
            ),
        ),
        Feature(
            organization_service_pb2.DESCRIPTOR.services_by_name["OrganizationService"],
            OrganizationService(
                accounts=accounts,
                tenants=tenants,
                invitations=Invitations(accounts, api_keys, mailer, budgets, secrets),
                offboarding=offboarding,
                appointments=Appointments(accounts, mailer),
                subscriptions=Subscriptions(),
                announcer=announcer,
                limits=limits_copy,
                cursors=cursors,
            ),
        ),
        Feature(
            api_key_service_pb2.DESCRIPTOR.services_by_name["ApiKeyService"],
            ApiKeyService(
                verification=KeyVerifier(secrets, issuer, reads, tenants, first_uses),
                imports=Imports(secrets, tenants, families_copy, mailer),
                cursors=cursors,
                announcer=announcer,
                environment=settings.key_environment,
            ),
        ),
        Feature(
            webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"],
            WebhookService(
                secrets=secrets,
                cursors=cursors,
                destinations=Destinations(
                    AddressPolicy(allow_loopback=settings.webhook_allow_loopback),
                    resolver or SystemResolver(),
                ),
                tiers=tenants,
            ),
        ),
        Feature(
            health_service_pb2.DESCRIPTOR.services_by_name["HealthService"],
            HealthService(version("portico"), probes(engine, redis, authorize, ratelimit)),
        ),
    ]

    answers = KeptAnswers(secrets)
    verifier = TokenVerifier(signing_keys, settings.issuer, clock, [each.kind for each in kinds])
    services = ServiceAuthenticator(settings.internal_token.get_secret_value())
    pipeline = Pipeline(
        errors=Errors(),
        # Outermost first. Who calls is settled before anything else is looked at;
        # a request is valid before a transaction begins; an answer is replayed in
        # the transaction that the first one would have used.
        interceptors=[
            Telemetry(),
            DatabaseErrors({**USER_CONSTRAINTS, **ORGANIZATION_CONSTRAINTS}),
            Access(verifier, kinds, services, FormerCallers(engine, answers)),
            Validation(),
            Transaction(engine, waker or CeleryTaskNotifier(settings.redis_url)),
            Idempotency(answers, tenants.memberships, {"keys:import": tenants.allows_key_import}),
        ],
        clock=clock,
    )
    copies: list[Projection] = [limits_copy, families_copy]
    channels = [authorize, ratelimit]
    return Core(pipeline, features, signing_keys, copies, engine, reads, redis, channels)
