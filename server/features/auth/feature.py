"""Sign-in: sessions, tokens, and the links that are mailed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from server.feature import Feature, Job, Served, Tables
from server.features.auth.mails import MAILS
from server.features.auth.names import SIGNING_KEYS_TASK

if TYPE_CHECKING:
    from server.parts import CoreParts, WorkerParts


def _tables() -> Tables:
    from server.features.auth import cleanup, models

    return Tables(
        models=(models.Session, models.RefreshToken, models.OneTimeToken, models.StoredSigningKey),
        # Tokens go before their sessions.
        cleanup={
            "refresh_tokens": cleanup.delete_refresh_tokens,
            "one_time_tokens": cleanup.delete_one_time_tokens,
            "sessions": cleanup.delete_sessions,
        },
    )


def _provide(parts: CoreParts) -> None:
    from portico_kit.jwt import TokenIssuer
    from server.features.auth.facade import Sessions
    from server.features.auth.one_time_tokens import OneTimeTokens
    from server.features.auth.ports import PendingEmailChanges
    from server.features.auth.signing_keys import SigningKeys
    from server.features.users.ports import PasswordTokens, SessionEnder

    issuer, clock = parts.settings.issuer, parts.clock
    parts.provide(SigningKeys, lambda: SigningKeys(parts.engine, parts.secrets, clock))
    parts.provide(TokenIssuer, lambda: TokenIssuer(parts.get(SigningKeys), issuer, clock))
    parts.provide(Sessions, lambda: Sessions(parts.reads, clock))
    parts.provide(SessionEnder, lambda: parts.get(Sessions))
    parts.provide(
        OneTimeTokens,
        lambda: OneTimeTokens(parts.engine, parts.secrets, parts.get(PendingEmailChanges)),
    )
    parts.provide(PasswordTokens, lambda: parts.get(OneTimeTokens))


def _serve(parts: CoreParts) -> Served:
    from portico.auth.v1.auth_service_pb2 import DESCRIPTOR
    from portico.auth.v1.browser_session_service_pb2 import DESCRIPTOR as BROWSERS

    from portico_kit.jwt import TokenIssuer
    from portico_kit.service import Service
    from server.features.auth.authenticator import PersonAuthenticator
    from server.features.auth.browser_sessions import BrowserSessions
    from server.features.auth.email_verification import EmailVerification
    from server.features.auth.facade import Sessions
    from server.features.auth.one_time_tokens import OneTimeTokens
    from server.features.auth.service import AuthService
    from server.features.auth.sign_in import SignIn
    from server.features.auth.signing_keys import SigningKeys
    from server.features.auth.token_pairs import TokenPairs
    from server.features.emails.budgets import MailBudgets
    from server.features.emails.facade import Mailer
    from server.features.organizations.facade import Tenants
    from server.features.users.facade import Accounts
    from server.features.users.passwords import Passwords

    accounts, passwords = parts.get(Accounts), parts.get(Passwords)
    tokens, mailer, tenants = parts.get(OneTimeTokens), parts.get(Mailer), parts.get(Tenants)
    signing_keys = parts.get(SigningKeys)
    pairs = TokenPairs(parts.get(TokenIssuer), tenants, parts.secrets)
    verification = EmailVerification(accounts, tokens, mailer, parts.get(MailBudgets))
    service = AuthService(
        accounts=accounts,
        passwords=passwords,
        sign_in=SignIn(accounts, passwords, verification),
        verification=verification,
        sessions=parts.get(Sessions),
        signing_keys=signing_keys,
        pairs=pairs,
        tokens=tokens,
        tenants=tenants,
        mailer=mailer,
        limiter=parts.limiter,
        cursors=parts.cursors,
    )
    return Served(
        services=(
            Service(DESCRIPTOR.services_by_name["AuthService"], service),
            Service(
                BROWSERS.services_by_name["BrowserSessionService"],
                BrowserSessions(pairs, parts.secrets),
            ),
        ),
        authenticators=(PersonAuthenticator(parts.get(Sessions), tenants),),
        before_start=(signing_keys.load,),
        background=(signing_keys.keep_fresh,),
    )


def _tasks(parts: WorkerParts) -> Mapping[str, Job]:
    from server.features.auth.tasks import tasks

    return tasks(parts)


FEATURE = Feature(
    name="auth",
    mails=MAILS,
    schedule={SIGNING_KEYS_TASK: timedelta(hours=1)},
    tables=_tables,
    provide=_provide,
    serve=_serve,
    tasks=_tasks,
)
