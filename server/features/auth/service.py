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
from portico_kit.credentials import Principal
from portico_kit.ids import new_id, parse_id
from portico_kit.paging import Cursors
from server.common.email_addresses import new_email
from server.common.limiter import Limiter
from server.features.auth import messages
from server.features.auth.authenticator import USER
from server.features.auth.email_verification import EmailVerification
from server.features.auth.errors import (
    ActiveOrganizationNotFoundError,
    OneTimeTokenInvalidError,
    RefreshTokenInvalidError,
    RefreshTokenReusedError,
    SessionNotFoundError,
)
from server.features.auth.facade import Sessions
from server.features.auth.mails import RESET_PASSWORD
from server.features.auth.models import Session
from server.features.auth.one_time_tokens import OneTimeTokens
from server.features.auth.repository import SessionRepository
from server.features.auth.sign_in import SignIn
from server.features.auth.signing_keys import SigningKeys
from server.features.auth.token_pairs import TokenPairs
from server.features.emails.facade import Mailer
from server.features.organizations.facade import Tenants
from server.features.users.facade import Accounts
from server.features.users.notices import notify_password_changed
from server.features.users.password_policy import require_acceptable
from server.features.users.passwords import Passwords


@dataclass(frozen=True, slots=True)
class AuthService:
    """Serves portico.auth.v1.AuthService."""

    accounts: Accounts
    passwords: Passwords
    sign_in: SignIn
    verification: EmailVerification
    sessions: Sessions
    signing_keys: SigningKeys
    pairs: TokenPairs
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
        actor = _person(account.id)
        call.record("user.registered", target_id=account.id, data=account.message, actor=actor)
        call.location("/api/v1/users/me")
        return pb.RegisterResponse(user=account.message)

    async def Login(self, request: pb.LoginRequest, call: Call) -> pb.LoginResponse:
        account = await self.sign_in.check(request.email, request.password, call)
        session = await _begin(account.id, call)
        pair = await self.pairs.issue(call.db, session, call.now)
        actor = _person(account.id, session.id)
        call.record("login.succeeded", target_id=session.id, actor=actor)
        return pb.LoginResponse(user=account.message, **messages.token_fields(pair))

    async def RefreshToken(
        self, request: pb.RefreshTokenRequest, call: Call
    ) -> pb.RefreshTokenResponse:
        session = await self._use_refresh_token(request.refresh_token, call)
        session.use(call.now)
        pair = await self.pairs.issue(call.db, session, call.now)
        return pb.RefreshTokenResponse(**messages.token_fields(pair))

    async def Logout(self, request: pb.LogoutRequest, call: Call) -> pb.LogoutResponse:
        session = await _find(call.principal.session_id, call)
        session.revoke(call.now)
        call.ended_access = "session"
        call.record("session.ended", target_id=session.id)
        return pb.LogoutResponse()

    async def SwitchOrganization(
        self, request: pb.SwitchOrganizationRequest, call: Call
    ) -> pb.SwitchOrganizationResponse:
        organization_id = parse_id(request.organization_id)
        if await self.tenants.member_tier(call.db, organization_id, call.user_id) is None:
            raise ActiveOrganizationNotFoundError
        # The refresh token from before stays good: a client that this answer does not
        # reach must be able to go on, in the new organization.
        session = await _find(call.principal.session_id, call)
        session.organization_id = organization_id
        session.use(call.now)
        pair = await self.pairs.issue(call.db, session, call.now)
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
        session.revoke(call.now)
        if session.id == call.principal.session_id:
            call.ended_access = "session"
        call.record("session.ended", target_id=session.id)
        return pb.RevokeSessionResponse()

    async def ForgotPassword(
        self, request: pb.ForgotPasswordRequest, call: Call
    ) -> pb.ForgotPasswordResponse:
        """For an address that nobody has, does all of the same work and takes it back.

        Neither the answer nor its time tells who has an account; the entry in
        the audit log makes it a commit either way.
        """
        email = new_email(request.email)
        await self.limiter.charge_email(email, LimitCategory.PASSWORD_RESET)
        account = await self.accounts.find_by_email(email)
        known = account is not None and account.active
        attempt = await call.db.begin_nested()
        user_id, name = (account.id, account.display_name) if account else (new_id(), "")
        token = await self.tokens.issue(call.db, user_id, "reset_password", call.now, email)
        self.mailer.send(call, email, RESET_PASSWORD, token=token, display_name=name)
        await call.db.flush()
        await (attempt.commit() if known else attempt.rollback())
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
        password_hash = await self.passwords.hash(request.new_password)
        await self.accounts.reset_password(call.db, user_id, password_hash, call.now)
        await self.tokens.use(call.db, "reset_password", request.token, call.now)
        await self.tokens.use_all(call.db, user_id, call.now)
        await self.sessions.end_all(call.db, user_id, call.now)
        notify_password_changed(self.mailer, account, call)
        call.record("user.password_reset", target_id=user_id, actor=_person(user_id))
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
        call.record("user.email_verified", target_id=account.id, actor=_person(account.id))
        return pb.VerifyEmailResponse(user=verified.message)

    async def GetJsonWebKeySet(
        self, request: pb.GetJsonWebKeySetRequest, call: Call
    ) -> pb.GetJsonWebKeySetResponse:
        keys = [messages.json_web_key(key) for key in self.signing_keys.published()]
        return pb.GetJsonWebKeySetResponse(keys=keys)

    async def _use_refresh_token(self, refresh_token: str, call: Call) -> Session:
        """The session of a refresh token, which is used up; ends it if the token was stolen.

        The rate limit service is asked before anything is locked: one that hangs keeps
        nobody else waiting. Only a token that is good now is charged to its session. An
        old one may be in anybody's hands, and must not use up what its holder needs; and
        one that is reused ends its session also when whoever pays has nothing left.
        """
        token_hash = self.pairs.hash(refresh_token)
        refresh = await self.sessions.refreshes(token_hash, call.now)
        if refresh is None or not refresh.reused:
            payer = refresh.session_id if refresh else None
            await self.limiter.charge_credential(payer, call.client.address)
        found = await SessionRepository(call.db).find_by_refresh_token(token_hash)
        if found is None or not found.person_may_hold or not found.session.holds(call.now):
            raise RefreshTokenInvalidError
        try:
            found.token.use(call.now)
        except RefreshTokenReusedError:
            found.session.revoke(call.now)
            call.record("session.refresh_token_reused", target_id=found.session.id)
            raise
        return found.session


def _person(user_id: UUID, session_id: UUID | None = None) -> Principal:
    """Who acts in a call that carries no token."""
    return Principal(USER.name, user_id, session_id, person_id=user_id)


async def _begin(user_id: UUID, call: Call) -> Session:
    """A new session, in the organization where the person worked last."""
    session = Session(
        id=new_id(),
        user_id=user_id,
        organization_id=await SessionRepository(call.db).last_organization(user_id),
        user_agent=call.client.user_agent,
        ip_address=call.client.address,
    )
    session.begin(call.now)
    SessionRepository(call.db).add(session)
    return session


async def _find(session_id: UUID | None, call: Call) -> Session:
    """A session of the caller that holds."""
    if session_id is None:
        raise SessionNotFoundError
    session = await SessionRepository(call.db).find(session_id, call.user_id, call.now)
    if session is None:
        raise SessionNotFoundError
    return session
