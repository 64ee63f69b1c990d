"""The OAuth server: lets applications act for people, and for themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from server.common.times import SWEEP
from server.feature import Feature, Job, Served, Tables
from server.features.auth.names import SESSION_ENDS_TASK
from server.features.oauth.mails import MAILS

if TYPE_CHECKING:
    from server.parts import CoreParts, WorkerParts

EVENTS = {
    "grant.created": "A person let an application act in the organization.",
    "grant.updated": "A person let an application do more in the organization.",
    "grant.revoked": "What an application may do for a person in the organization has ended.",
}


def _tables() -> Tables:
    from server.features.oauth import cleanup, models

    return Tables(
        models=(
            models.StoredGrant,
            models.StoredAuthorization,
            models.StoredCode,
            models.StoredDeviceCode,
            models.StoredLogout,
        ),
        # Codes go before their authorizations, and these before their grants.
        cleanup={
            "oauth_codes": cleanup.delete_codes,
            "oauth_device_codes": cleanup.delete_device_codes,
            "oauth_authorizations": cleanup.delete_authorizations,
            "oauth_grants": cleanup.delete_grants,
            "oauth_logouts": cleanup.delete_logouts,
            "applications": cleanup.delete_registrations,
        },
    )


def _provide(parts: CoreParts) -> None:
    from server.features.applications import ports as applications
    from server.features.applications.facade import Applications
    from server.features.oauth.revocations import GrantRevocations
    from server.features.organizations import ports as organizations
    from server.features.organizations.facade import Tenants

    parts.provide(
        GrantRevocations, lambda: GrantRevocations(parts.get(Applications), parts.get(Tenants))
    )
    parts.provide(applications.Grants, lambda: parts.get(GrantRevocations))
    parts.provide(organizations.Grants, lambda: parts.get(GrantRevocations))


def _serve(parts: CoreParts) -> Served:
    from portico.oauth.v1.authorization_service_pb2 import DESCRIPTOR as AUTHORIZATIONS
    from portico.oauth.v1.device_service_pb2 import DESCRIPTOR as DEVICES
    from portico.oauth.v1.grant_service_pb2 import DESCRIPTOR as GRANTS
    from portico.oauth.v1.logout_service_pb2 import DESCRIPTOR as LOGOUTS
    from portico.oauth.v1.token_service_pb2 import DESCRIPTOR as TOKENS

    from portico_kit.credentials import by_kind
    from portico_kit.dpop import DpopNonces
    from portico_kit.jwt import TokenIssuer, TokenVerifier
    from portico_kit.service import Service
    from server.common.guesses import GuessBudget
    from server.common.refresh_chain import RefreshTokens
    from server.features.applications.facade import Applications
    from server.features.auth.signing_keys import SigningKeys
    from server.features.auth.standings import SessionStandings
    from server.features.emails.facade import Mailer
    from server.features.oauth.authenticators import ApplicationAuthenticator, GrantAuthenticator
    from server.features.oauth.authorization_service import AuthorizationService
    from server.features.oauth.authorizations import Authorizations
    from server.features.oauth.codes import CodeExchange
    from server.features.oauth.device_polls import DevicePolling
    from server.features.oauth.device_service import DeviceService
    from server.features.oauth.devices import DeviceAuthorizations
    from server.features.oauth.ends import Ends
    from server.features.oauth.exchange import TokenExchange
    from server.features.oauth.frontchannel import FrontchannelLogouts
    from server.features.oauth.grant_service import GrantService
    from server.features.oauth.introspection import PresentedTokens
    from server.features.oauth.kinds import OAuthKinds
    from server.features.oauth.logout_service import LogoutService
    from server.features.oauth.logouts import LogoutRequests
    from server.features.oauth.proofs import Proofs, UsedProofs
    from server.features.oauth.pushed import PushedRequests
    from server.features.oauth.refreshing import ApplicationRefreshing
    from server.features.oauth.requests import SealedRequests
    from server.features.oauth.subjects import Subjects
    from server.features.oauth.token_service import TokenService
    from server.features.oauth.tokens import OAuthTokens
    from server.features.organizations.facade import Tenants
    from server.features.users.facade import Accounts

    kinds = OAuthKinds.of(parts.settings.public_url)
    applications, tenants = parts.get(Applications), parts.get(Tenants)
    signing_keys, standings = parts.get(SigningKeys), parts.get(SessionStandings)
    accounts, subjects = parts.get(Accounts), Subjects(parts.secrets)
    refresh_tokens = RefreshTokens(parts.secrets, "oauth-refresh-chain", form=2)
    ends = Ends(accounts, parts.get(Mailer))
    tokens = OAuthTokens(
        kinds=kinds,
        issuer=parts.get(TokenIssuer),
        signing_keys=signing_keys,
        refresh_tokens=refresh_tokens,
        subjects=subjects,
        accounts=accounts,
        clock=parts.clock,
    )
    itself = ApplicationAuthenticator(kinds.application, applications, parts.clock)
    for_person = GrantAuthenticator(
        kinds.grant, parts.reads, parts.clock, applications, tenants, standings
    )
    authenticators = (itself, for_person)
    verifier = TokenVerifier(
        signing_keys, kinds.issuer, parts.clock, [kinds.application, kinds.grant]
    )
    presented = PresentedTokens(
        kinds=kinds,
        verifier=verifier,
        by_kind=by_kind(authenticators),
        grants=for_person,
        refresh_tokens=refresh_tokens,
        reads=parts.reads,
        applications=applications,
        subjects=subjects,
        ends=ends,
    )
    sealed = SealedRequests(parts.secrets)
    authorizations = Authorizations(
        issuer=kinds.issuer,
        applications=applications,
        tenants=tenants,
        standings=standings,
        signing_keys=signing_keys,
        subjects=subjects,
        sealed=sealed,
        secrets=parts.secrets,
        pushed=PushedRequests(parts.redis, parts.secrets, sealed),
    )
    codes = CodeExchange(parts.secrets, parts.statements, tokens, ends)
    devices = DeviceAuthorizations(
        issuer=kinds.issuer,
        applications=applications,
        authorizations=authorizations,
        secrets=parts.secrets,
        budget=GuessBudget(parts.redis, parts.secrets, parts.clock),
        limiter=parts.limiter,
    )
    token_service = TokenService(
        issuer=kinds.issuer,
        applications=applications,
        tokens=tokens,
        codes=codes,
        refreshing=ApplicationRefreshing(
            parts.reads, parts.statements, refresh_tokens, tokens, ends
        ),
        exchange=TokenExchange(kinds.issuer, verifier, for_person, itself, tokens),
        presented=presented,
        authorizations=authorizations,
        device_polling=DevicePolling(parts.statements, devices, codes),
        proofs=Proofs(
            kinds.issuer,
            DpopNonces(parts.settings.internal_token.get_secret_value().encode()),
            UsedProofs(parts.redis),
        ),
    )
    return Served(
        services=(
            Service(
                AUTHORIZATIONS.services_by_name["AuthorizationService"],
                AuthorizationService(authorizations),
            ),
            Service(
                DEVICES.services_by_name["DeviceService"],
                DeviceService(devices, token_service.authenticate),
            ),
            Service(
                GRANTS.services_by_name["GrantService"],
                GrantService(applications, tenants, parts.cursors),
            ),
            Service(
                LOGOUTS.services_by_name["LogoutService"],
                LogoutService(
                    LogoutRequests(kinds.issuer, applications, signing_keys, subjects),
                    FrontchannelLogouts(kinds.issuer, applications, subjects),
                    applications,
                    parts.cursors,
                ),
            ),
            Service(TOKENS.services_by_name["TokenService"], token_service),
        ),
        authenticators=authenticators,
    )


def _tasks(parts: WorkerParts) -> Mapping[str, Job]:
    from server.features.oauth.tasks import tasks

    return tasks(parts)


FEATURE = Feature(
    name="oauth",
    events=EVENTS,
    mails=MAILS,
    schedule={SESSION_ENDS_TASK: SWEEP},
    tables=_tables,
    provide=_provide,
    serve=_serve,
    tasks=_tasks,
)
