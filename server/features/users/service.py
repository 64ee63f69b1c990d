"""Accounts: the verbs. Each looks, decides and answers."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico.users.v1 import user_service_pb2 as pb
from portico.users.v1.user_pb2 import User as UserMessage

from portico_kit.call import Call
from portico_kit.changes import changed_fields
from portico_kit.ids import parse_id
from portico_kit.paging import Cursors
from server.features.emails.budgets import MailBudgets
from server.features.emails.facade import Mailer
from server.features.users import messages
from server.features.users.current_password import CurrentPassword
from server.features.users.errors import (
    LastAdministratorError,
    UserIsLastOwnerError,
    UserNotFoundError,
)
from server.features.users.facade import Account, Accounts
from server.features.users.mails import CHOOSE_PASSWORD
from server.features.users.models import User
from server.features.users.notices import notify_account_deleted, notify_password_changed
from server.features.users.password_policy import (
    password_unchanged,
    require_acceptable,
    same_password,
)
from server.features.users.passwords import Passwords
from server.features.users.ports import (
    Memberships,
    Ownerships,
    PasswordTokens,
    SecondFactors,
    SessionDevices,
    SessionEnder,
)
from server.features.users.repository import UserFilter, UserRepository, order


@dataclass(frozen=True, slots=True)
class UserService:
    """Serves portico.users.v1.UserService."""

    accounts: Accounts
    passwords: Passwords
    current_password: CurrentPassword
    sessions: SessionEnder
    devices: SessionDevices
    ownerships: Ownerships
    memberships: Memberships
    tokens: PasswordTokens
    second_factors: SecondFactors
    mailer: Mailer
    budgets: MailBudgets
    cursors: Cursors

    async def GetMe(self, request: pb.GetMeRequest, call: Call) -> pb.GetMeResponse:
        # Read when the call was let in, a moment ago.
        call.etag(call.person.version)
        return pb.GetMeResponse(user=call.person.message)

    async def UpdateMe(self, request: pb.UpdateMeRequest, call: Call) -> pb.UpdateMeResponse:
        user = await _find_to_change(call.user_id, call)
        _apply_profile(request, user)
        if call.db.is_modified(user.profile):
            user.change(call.now)
        return pb.UpdateMeResponse(user=await _changed("user.updated", user, call))

    async def ChangePassword(
        self, request: pb.ChangePasswordRequest, call: Call
    ) -> pb.ChangePasswordResponse:
        account = await self.current_password.require(request.current_password, call)
        name = account.display_name
        if same_password(request.new_password, request.current_password):
            raise password_unchanged("new_password")
        require_acceptable(request.new_password, account.email, "new_password", name)
        password_hash = await self.passwords.hash(request.new_password)
        user = await self._find_unchanged(request.current_password, account, call)
        user.choose_password(password_hash, call.now)
        await self.tokens.use_all(call.db, user.id, call.now)
        own = call.principal.session_id
        await self.sessions.end_all(user.id, "password_changed", call, except_session=own)
        notify_password_changed(self.mailer, account, call)
        await call.db.flush()
        call.record("user.password_changed", target_id=user.id, data=messages.user(user))
        return pb.ChangePasswordResponse()

    async def DeleteMe(self, request: pb.DeleteMeRequest, call: Call) -> pb.DeleteMeResponse:
        account = await self.current_password.require(request.current_password, call)
        await UserRepository(call.db).lock_administrators()
        user = await self._find_unchanged(request.current_password, account, call)
        await self._delete(user, call)
        notify_account_deleted(self.mailer, account, call)
        return pb.DeleteMeResponse()

    async def ListUsers(self, request: pb.ListUsersRequest, call: Call) -> pb.ListUsersResponse:
        page = await UserRepository(call.db).list(
            UserFilter(request.search, request.status, request.role),
            order(request.sort_by, request.sort_order),
            self.cursors.paging(request),
            self.cursors,
        )
        return pb.ListUsersResponse(
            users=[messages.user(user) for user in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def CreateUser(self, request: pb.CreateUserRequest, call: Call) -> pb.CreateUserResponse:
        account = await self.accounts.create(
            call.db,
            email=request.email,
            display_name=request.display_name,
            now=call.now,
            role=request.role or "user",
        )
        await self.budgets.charge(call, account.email, "account")
        token = await self.tokens.issue(
            call.db, account.id, "reset_password", call.now, account.email
        )
        self.mailer.send(
            call, account.email, CHOOSE_PASSWORD, token=token, display_name=account.display_name
        )
        call.record("user.created", target_id=account.id, data=account.message)
        call.location(f"/api/v1/users/{account.id}")
        return pb.CreateUserResponse(user=account.message)

    async def GetUser(self, request: pb.GetUserRequest, call: Call) -> pb.GetUserResponse:
        user = await UserRepository(call.db).find(parse_id(request.user_id))
        if user is None:
            raise UserNotFoundError
        call.etag(user.version)
        return pb.GetUserResponse(user=messages.user(user))

    async def UpdateUser(self, request: pb.UpdateUserRequest, call: Call) -> pb.UpdateUserResponse:
        await UserRepository(call.db).lock_administrators()
        user = await _find_to_change(parse_id(request.user_id), call)
        changed = changed_fields(request)
        suspends = "status" in changed and request.status == "suspended"
        if suspends or ("role" in changed and request.role == "user"):
            await _require_other_administrator(user, call)
        _apply(request, user, call)
        if suspends:
            await self.memberships.suspend(user.id, call)
            await self.tokens.use_all(call.db, user.id, call.now)
            await self.sessions.end_all(user.id, "user_suspended", call)
        if user.id == call.user_id and not user.administers:
            call.ended_access = "session" if user.status == "suspended" else "permission"
        return pb.UpdateUserResponse(user=await _changed("user.updated", user, call))

    async def DeleteUser(self, request: pb.DeleteUserRequest, call: Call) -> pb.DeleteUserResponse:
        await UserRepository(call.db).lock_administrators()
        await self._delete(await _find_to_change(parse_id(request.user_id), call), call)
        return pb.DeleteUserResponse()

    async def _delete(self, user: User, call: Call) -> None:
        """Ends an account and all that stands on it; the administrators are locked.

        Raises:
            LastAdministratorError: if there is no other administrator.
            UserIsLastOwnerError: if an organization has no other owner.
        """
        await _require_other_administrator(user, call)
        if await self.ownerships.is_last_owner(call.db, user.id):
            raise UserIsLastOwnerError
        await self.memberships.end_memberships(user.id, call)
        await self.second_factors.forget(user.id, call)
        user.delete(call.now)
        if user.id == call.user_id:
            call.ended_access = "session"
        await self.tokens.use_all(call.db, user.id, call.now)
        await self.sessions.end_all(user.id, "user_deleted", call)
        await self.devices.forget_places(call.db, user.id)
        await _changed("user.deleted", user, call)

    async def _find_unchanged(self, password: str, checked: Account, call: Call) -> User:
        """The caller's account to change, if its password is still the one that was checked."""
        user = await _find_to_change(checked.id, call)
        await self.current_password.require_still(password, checked, user.password_hash)
        return user


async def _find_to_change(user_id: UUID, call: Call) -> User:
    user = await UserRepository(call.db).find_to_change(user_id)
    if user is None:
        raise UserNotFoundError
    call.expect(user.version)
    return user


async def _require_other_administrator(user: User, call: Call) -> None:
    """Refuses to take away an administrator if there is no other one."""
    if user.administers and not await UserRepository(call.db).has_administrator_besides(user.id):
        raise LastAdministratorError


def _apply_profile(request: pb.UpdateMeRequest, user: User) -> None:
    changed = changed_fields(request)
    if "display_name" in changed:
        user.display_name = request.display_name
    if "avatar_url" in changed:
        user.avatar_url = request.avatar_url
    if "bio" in changed:
        user.bio = request.bio
    if "preferences" in changed:
        user.preferences = messages.merged_preferences(user.preferences, request)


def _apply(request: pb.UpdateUserRequest, user: User, call: Call) -> None:
    changed = changed_fields(request)
    if "display_name" in changed:
        user.display_name = request.display_name
    given = {name: getattr(request, name) for name in ("status", "role") if name in changed}
    others = {name: value for name, value in given.items() if value != getattr(user, name)}
    if others or call.db.is_modified(user.profile):
        user.change(call.now, **others)


async def _changed(action: str, user: User, call: Call) -> UserMessage:
    """Records a change, if it is one, and shows the account as it is now."""
    await call.db.flush()
    shown = messages.user(user)
    if call.changed(user.version):
        call.record(action, target_id=user.id, data=shown)
    call.etag(user.version)
    return shown
