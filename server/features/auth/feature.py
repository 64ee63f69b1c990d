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

EVENTS = {
    "session.created": "A person signed in.",
    "session.ended": "A session ended before it expired; `endReason` says why.",
}


def _tables() -> Tables:
    from server.features.auth import cleanup, models

    return Tables(
        models=(
            models.Session,
            models.RefreshToken,
            models.OneTimeToken,
            models.Challenge,
            models.RememberedDevice,
            models.StoredSigningKey,
            models.StoredIdTokenKey,
            models.SignInPlace,
            models.SessionEnd,
        ),
        # Tokens go before their sessions.
        cleanup={
            "refresh_tokens": cleanup.delete_refresh_tokens,
            "one_time_tokens": cleanup.delete_one_time_tokens,
            "challenges": cleanup.delete_challenges,
            "remembered_devices": cleanup.delete_remembered_devices,
            "sessions": cleanup.delete_sessions,
            "sign_in_places": cleanup.delete_sign_in_places,
        },
    )


def _provide(parts: CoreParts) -> None:
    from portico_kit.jwt import TokenIssuer
    from server.features.auth.candidates import Candidates
    from server.features.auth.facade import Sessions
    from server.features.auth.one_time_tokens import OneTimeTokens
    from server.features.auth.ports import LinkedIdentities, PendingEmailChanges
    from server.features.auth.remembered_devices import DeviceMemory
    from server.features.auth.session_devices import SessionDevices
    from server.features.auth.signing_keys import SigningKeys
    from server.features.auth.standings import SessionNotes, SessionStandings
    from server.features.factors import ports as factor_ports
    from server.features.factors.facade import Factors
    from server.features.factors.ports import ShownInSession
    from server.features.organizations.facade import Tenants
    from server.features.organizations.ports import ReachableLevels
    from server.features.users import ports
    from server.features.users.facade import Accounts
    from server.features.users.ports import PasswordTokens, SessionEnder

    issuer, clock = parts.settings.issuer, parts.clock
    parts.provide(SigningKeys, lambda: SigningKeys(parts.engine, parts.secrets, clock))
    parts.provide(TokenIssuer, lambda: TokenIssuer(parts.get(SigningKeys), issuer, clock))
    parts.provide(Sessions, lambda: Sessions(parts.reads, clock, parts.get(LinkedIdentities)))
    parts.provide(ports.SessionDevices, lambda: SessionDevices(parts.reads))
    parts.provide(SessionEnder, lambda: parts.get(Sessions))
    parts.provide(
        OneTimeTokens,
        lambda: OneTimeTokens(parts.engine, parts.secrets, parts.get(PendingEmailChanges)),
    )
    parts.provide(PasswordTokens, lambda: parts.get(OneTimeTokens))
    parts.provide(ShownInSession, SessionNotes)
    parts.provide(factor_ports.DeviceMemory, DeviceMemory)
    parts.provide(Candidates, lambda: Candidates(parts.get(Factors), parts.get(LinkedIdentities)))
    parts.provide(
        SessionStandings,
        lambda: SessionStandings(
            parts.reads, clock, parts.get(Accounts), parts.get(Candidates), parts.get(Tenants)
        ),
    )
    parts.provide(ReachableLevels, lambda: parts.get(SessionStandings))


def _serve(parts: CoreParts) -> Served:
    from portico.auth.v1.auth_service_pb2 import DESCRIPTOR
    from portico.auth.v1.browser_session_service_pb2 import DESCRIPTOR as BROWSERS
    from portico.auth.v1.challenge_service_pb2 import DESCRIPTOR as CHALLENGES
    from portico.auth.v1.remembered_device_service_pb2 import DESCRIPTOR as REMEMBERED
    from portico.passkeys.v1.passkey_sign_in_service_pb2 import DESCRIPTOR as PASSKEYS

    from portico_kit.jwt import TokenIssuer, TokenVerifier
    from portico_kit.service import Service
    from server.common.refresh_chain import RefreshTokens
    from server.features.auth.authenticator import USER, PersonAuthenticator
    from server.features.auth.browser_sessions import BrowserSessions
    from server.features.auth.candidates import Candidates
    from server.features.auth.challenge_service import ChallengeService
    from server.features.auth.challenges import Challenges
    from server.features.auth.devices import Devices
    from server.features.auth.email_verification import EmailVerification
    from server.features.auth.facade import Sessions
    from server.features.auth.notices import Notices
    from server.features.auth.one_time_tokens import OneTimeTokens
    from server.features.auth.passkey_sign_in import PasskeySignIn
    from server.features.auth.recognition import Recognition
    from server.features.auth.refreshing import Refreshing
    from server.features.auth.remembered_device_service import (
        RememberedDevices,
        RememberedDeviceService,
    )
    from server.features.auth.reports import ReportTokens, SessionReports
    from server.features.auth.service import AuthService
    from server.features.auth.session_devices import SessionDevices
    from server.features.auth.session_step_up import SessionStepUp
    from server.features.auth.sign_in import SignIn
    from server.features.auth.sign_in_completion import SignInCompletion
    from server.features.auth.sign_out import SignOut
    from server.features.auth.signing_keys import SigningKeys
    from server.features.auth.standings import SessionStandings
    from server.features.auth.suspicion import Suspicion
    from server.features.auth.token_pairs import TokenPairs
    from server.features.emails.budgets import MailBudgets
    from server.features.emails.facade import Mailer
    from server.features.factor_codes.facade import MailCodes, SmsCodes
    from server.features.factors.facade import Factors
    from server.features.factors.shown import AuthenticatorApps, RecoveryCodes
    from server.features.organizations.facade import Tenants
    from server.features.passkeys.facade import Passkeys
    from server.features.users.current_password import CurrentPassword
    from server.features.users.facade import Accounts
    from server.features.users.guessing import Guessing
    from server.features.users.passwords import Passwords

    accounts, passwords = parts.get(Accounts), parts.get(Passwords)
    tokens, mailer, tenants = parts.get(OneTimeTokens), parts.get(Mailer), parts.get(Tenants)
    signing_keys = parts.get(SigningKeys)
    refresh_tokens = RefreshTokens(parts.secrets, "refresh-chain", form=1)
    pairs = TokenPairs(parts.get(TokenIssuer), tenants, refresh_tokens)
    refreshing = Refreshing(
        reads=parts.reads,
        statements=parts.statements,
        pairs=pairs,
        tokens=refresh_tokens,
        secrets=parts.secrets,
        limiter=parts.limiter,
        notices=Notices(accounts, mailer),
    )
    verifier = TokenVerifier(signing_keys, parts.settings.issuer, parts.clock, [USER])
    mail_budgets = parts.get(MailBudgets)
    verification = EmailVerification(accounts, tokens, mailer, mail_budgets)
    devices, report_tokens = Devices(parts.secrets), ReportTokens(parts.secrets)
    recognition = Recognition(parts.reads, devices, report_tokens, mailer, mail_budgets)
    passkeys = parts.get(Passkeys)
    sent = (parts.get(MailCodes), parts.get(SmsCodes))
    kinds = (parts.get(AuthenticatorApps), parts.get(RecoveryCodes), passkeys, *sent)
    challenges = Challenges(
        reads=parts.reads,
        factors=parts.get(Factors),
        candidates=parts.get(Candidates),
        kinds={kind.method: kind for kind in kinds},
        sent={kind.method: kind for kind in sent},
        guessing=parts.get(Guessing),
        secrets=parts.secrets,
    )
    completion = SignInCompletion(
        accounts=accounts,
        verification=verification,
        devices=devices,
        recognition=recognition,
        challenges=challenges,
        standings=parts.get(SessionStandings),
        remembered=RememberedDevices(devices),
        pairs=pairs,
    )
    step_up = SessionStepUp(pairs)
    # For features above this one that check a factor by other means.
    parts.provide(SessionStepUp, lambda: step_up)
    parts.provide(SignInCompletion, lambda: completion)
    service = AuthService(
        accounts=accounts,
        passwords=passwords,
        sign_in=SignIn(
            accounts=accounts,
            passwords=passwords,
            completion=completion,
            guessing=parts.get(Guessing),
            recognition=recognition,
            suspicion=Suspicion(parts.redis, parts.secrets, parts.clock),
            challenges=challenges,
        ),
        devices=devices,
        completion=completion,
        reports=SessionReports(report_tokens),
        verification=verification,
        sessions=parts.get(Sessions),
        signing_keys=signing_keys,
        pairs=pairs,
        refreshing=refreshing,
        sign_out=SignOut(refreshing, verifier, parts.limiter),
        tokens=tokens,
        tenants=tenants,
        mailer=mailer,
        limiter=parts.limiter,
        cursors=parts.cursors,
    )
    challenge_service = ChallengeService(
        accounts=accounts,
        challenges=challenges,
        completion=completion,
        devices=devices,
        recognition=recognition,
        session_devices=SessionDevices(parts.reads),
        current_password=parts.get(CurrentPassword),
        step_up=step_up,
        passkeys=passkeys,
        standings=parts.get(SessionStandings),
    )
    return Served(
        services=(
            Service(DESCRIPTOR.services_by_name["AuthService"], service),
            Service(CHALLENGES.services_by_name["ChallengeService"], challenge_service),
            Service(
                PASSKEYS.services_by_name["PasskeySignInService"],
                PasskeySignIn(passkeys, completion, devices),
            ),
            Service(
                REMEMBERED.services_by_name["RememberedDeviceService"], RememberedDeviceService()
            ),
            Service(
                BROWSERS.services_by_name["BrowserSessionService"],
                BrowserSessions(refreshing, pairs, parts.secrets),
            ),
        ),
        authenticators=(
            PersonAuthenticator(parts.get(Sessions), tenants, parts.get(SessionStandings)),
        ),
        before_start=(signing_keys.load,),
        background=(signing_keys.keep_fresh,),
    )


def _tasks(parts: WorkerParts) -> Mapping[str, Job]:
    from server.features.auth.tasks import tasks

    return tasks(parts)


FEATURE = Feature(
    name="auth",
    events=EVENTS,
    mails=MAILS,
    schedule={SIGNING_KEYS_TASK: timedelta(hours=1)},
    tables=_tables,
    provide=_provide,
    serve=_serve,
    tasks=_tasks,
)
