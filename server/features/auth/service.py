"""Signing up, in and out: the verbs. Each looks, decides and answers.

Passwords are hashed before the call's transaction touches the database, so
that nobody keeps a connection for the quarter of a second that it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico.auth.v1 import auth_service_pb2 as pb

from portico_contract.limit_categories import LimitCategory
from portico_kit.call import Call
from portico_kit.clock import timestamp
from portico_kit.ids import new_id, parse_id
from portico_kit.paging import Cursors
from server.common.email_addresses import new_email
from server.common.limiter import Limiter
from server.common.pretence import kept_if
from server.features.auth import messages
from server.features.auth.authenticator import acting_person
from server.features.auth.candidates import password_shown
from server.features.auth.devices import Devices
from server.features.auth.email_verification import EmailVerification
from server.features.auth.errors import (
    ActiveOrganizationNotFoundError,
    OneTimeTokenInvalidError,
    SessionNotFoundError,
)
from server.features.auth.facade import Sessions
from server.features.auth.mails import RESET_PASSWORD
from server.features.auth.models import Session
from server.features.auth.one_time_tokens import OneTimeTokens
from server.features.auth.refreshing import Refreshing
from server.features.auth.remembered_devices import RememberedDeviceRepository
from server.features.auth.reports import SessionReports
from server.features.auth.repository import SessionRepository
from server.features.auth.session_ends import end_session
from server.features.auth.sign_in import SignIn
from server.features.auth.sign_in_completion import SignInCompletion
from server.features.auth.sign_out import SignOut
from server.features.auth.signing_keys import SigningKeys
from server.features.auth.token_pairs import TokenPairs
from server.features.emails.facade import Mailer
from server.features.organizations.facade import Tenants
from server.features.users.facade import Account, Accounts
from server.features.users.notices import notify_password_changed
from server.features.users.password_policy import password_unchanged, require_acceptable
from server.features.users.passwords import Passwords
from server.features.users.ports import EndReason


@dataclass(frozen=True, slots=True)
class AuthService:
    """Serves portico.auth.v1.AuthService."""

    accounts: Accounts
    passwords: Passwords
    sign_in: SignIn
    devices: Devices
    completion: SignInCompletion
    reports: SessionReports
    verification: EmailVerification
    sessions: Sessions
    signing_keys: SigningKeys
    pairs: TokenPairs
    refreshing: Refreshing
    sign_out: SignOut
    tokens: OneTimeTokens
    tenants: Tenants
    mailer: Mailer
    limiter: Limiter
    cursors: Cursors

    async def Register(self, request: pb.RegisterRequest, call: Call) -> pb.RegisterResponse:
        email = new_email(request.email)
        require_acceptable(request.password, email, "password", request.display_name)
        account = await self.accounts.create(
            call.db,
            email=request.email,
            display_name=request.display_name,
            now=call.now,
            password_hash=await self.passwords.hash(request.password),
            accepted_terms_at=call.now,
        )
        await self.verification.mail(account, call)
        actor = acting_person(account.id)
        call.record("user.registered", target_id=account.id, data=account.message, actor=actor)
        call.location("/api/v1/users/me")
        return pb.RegisterResponse(user=account.message)

    async def Login(self, request: pb.LoginRequest, call: Call) -> pb.LoginResponse:
        device = self.devices.recognize(request.device_token)
        account = await self.sign_in.check(request.email, request.password, device, call)
        shown = [password_shown(account, call.now)]
        if request.mfa_code and account.has_second_factor:
            shown.append(await self.sign_in.check_code(account, request.mfa_code, device, call))
        completed = await self.completion.proceed(account, shown, device, call)
        return pb.LoginResponse(
            **messages.completed_fields(completed),
            second_factor_required_from=timestamp(completed.asked_from),
        )

    async def RefreshToken(
        self, request: pb.RefreshTokenRequest, call: Call
    ) -> pb.RefreshTokenResponse:
        pair = await self.refreshing.use(request.refresh_token, call)
        return pb.RefreshTokenResponse(**messages.token_fields(pair))

    async def Logout(self, request: pb.LogoutRequest, call: Call) -> pb.LogoutResponse:
        owner = await self.sign_out.owner(request, call)
        sessions = SessionRepository(call.db)
        session = await sessions.find_lasting(owner.session_id, owner.user_id, call.now)
        if session is not None:
            end_session(session, "signed_out", call, actor=acting_person(owner.user_id, session.id))
        return pb.LogoutResponse()

    async def SwitchOrganization(
        self, request: pb.SwitchOrganizationRequest, call: Call
    ) -> pb.SwitchOrganizationResponse:
        organization_id = parse_id(request.organization_id)
        if await self.tenants.member_tier(call.db, organization_id, call.user_id) is None:
            raise ActiveOrganizationNotFoundError
        # The chain of refresh tokens does not move: a client that this answer does not reach
        # goes on with the token that it has, in the new organization.
        session = await _find(call.principal.session_id, call)
        session.organization_id = organization_id
        session.use(call.now)
        session.start_chain()
        pair = await self.pairs.issue(call.db, session)
        return pb.SwitchOrganizationResponse(**messages.token_fields(pair))

    async def ListSessions(
        self, request: pb.ListSessionsRequest, call: Call
    ) -> pb.ListSessionsResponse:
        paging = self.cursors.paging(request, call.user_id)
        page = await SessionRepository(call.db).list(call.user_id, call.now, paging, self.cursors)
        return pb.ListSessionsResponse(
            sessions=[messages.session(row, call.principal.session_id) for row in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def RevokeSession(
        self, request: pb.RevokeSessionRequest, call: Call
    ) -> pb.RevokeSessionResponse:
        session = await _find(parse_id(request.session_id), call)
        end_session(session, "revoked", call)
        if session.device_hash is not None:
            # Whoever ends the session of a device does not trust it any more.
            remembered = RememberedDeviceRepository(call.db)
            await remembered.forget_device(session.user_id, session.device_hash)
        if session.id == call.principal.session_id:
            call.ended_access = "session"
        return pb.RevokeSessionResponse()

    async def ReportSession(
        self, request: pb.ReportSessionRequest, call: Call
    ) -> pb.ReportSessionResponse:
        await self.reports.end(request.token, call)
        return pb.ReportSessionResponse()

    async def ForgotPassword(
        self, request: pb.ForgotPasswordRequest, call: Call
    ) -> pb.ForgotPasswordResponse:
        """For an address that nobody has, does all of the same work and takes it back."""
        email = new_email(request.email)
        await self.limiter.charge_email(email, LimitCategory.PASSWORD_RESET)
        account = await self.accounts.find_by_email(email)
        known = account is not None and account.active
        async with kept_if(known, call):
            user_id, name = (account.id, account.display_name) if account else (new_id(), "")
            token = await self.tokens.issue(call.db, user_id, "reset_password", call.now, email)
            self.mailer.send(call, email, RESET_PASSWORD, token=token, display_name=name)
        call.record("password_reset.requested", target_id=account.id if account else None)
        return pb.ForgotPasswordResponse()

    async def ResetPassword(
        self, request: pb.ResetPasswordRequest, call: Call
    ) -> pb.ResetPasswordResponse:
        user_id = await self.tokens.owner("reset_password", request.token, call.now)
        account = await self.accounts.load(user_id)
        if account is None:
            raise OneTimeTokenInvalidError
        name = account.display_name
        require_acceptable(request.new_password, account.email, "new_password", name)
        stored = account.password_hash
        if stored is not None and await self.passwords.verify(request.new_password, stored):
            raise password_unchanged("new_password")
        password_hash = await self.passwords.hash(request.new_password)
        changed = await self.accounts.reset_password(call.db, user_id, password_hash, call.now)
        if changed is None:
            raise OneTimeTokenInvalidError
        await self.tokens.use(call.db, "reset_password", request.token, call.now)
        await self.tokens.use_all(call.db, user_id, call.now)
        # Who linked something to an address that nobody had verified may not be its owner.
        reason: EndReason = "password_reset" if account.verified else "account_claimed"
        await self.sessions.end_all(user_id, reason, call, actor=acting_person(user_id))
        notify_password_changed(self.mailer, account, call)
        call.record(
            "user.password_reset",
            target_id=user_id,
            data=changed.message,
            actor=acting_person(user_id),
            event="user.password_changed",
        )
        _record_verified(changed, call)
        return pb.ResetPasswordResponse()

    async def ResendVerification(
        self, request: pb.ResendVerificationRequest, call: Call
    ) -> pb.ResendVerificationResponse:
        await self.verification.resend(new_email(request.email), call)
        return pb.ResendVerificationResponse()

    async def VerifyEmail(
        self, request: pb.VerifyEmailRequest, call: Call
    ) -> pb.VerifyEmailResponse:
        """Changes nothing if the address is verified: a link that was followed may be again."""
        owner = await self.tokens.issued_to("verify_email", request.token, call.now)
        # Of two calls at once, one waits here and then sees what the other one did.
        account = await self.accounts.lock(call.db, owner.user_id)
        if account is None or not account.active:
            raise OneTimeTokenInvalidError
        if account.verified and account.email == owner.email:
            return pb.VerifyEmailResponse(user=account.message)
        await self.tokens.use(call.db, "verify_email", request.token, call.now)
        verified = await self.accounts.verify(call.db, account.id, call.now)
        if verified is None:
            raise OneTimeTokenInvalidError
        _record_verified(verified, call)
        return pb.VerifyEmailResponse(user=verified.message)

    async def GetJsonWebKeySet(
        self, request: pb.GetJsonWebKeySetRequest, call: Call
    ) -> pb.GetJsonWebKeySetResponse:
        keys = [messages.json_web_key(key) for key in self.signing_keys.published()]
        return pb.GetJsonWebKeySetResponse(keys=keys)


def _record_verified(account: Account, call: Call) -> None:
    """Records that a person has shown that the address is theirs, if this call is the first."""
    if account.verified_at == call.now:
        actor = acting_person(account.id)
        call.record("user.email_verified", target_id=account.id, data=account.message, actor=actor)


async def _find(session_id: UUID | None, call: Call) -> Session:
    """A session of the caller that holds."""
    if session_id is None:
        raise SessionNotFoundError
    session = await SessionRepository(call.db).find(session_id, call.user_id, call.now)
    if session is None:
        raise SessionNotFoundError
    return session
