"""How an invitation is issued and mailed, and how it is found again by who received it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from portico.organizations.v1 import organization_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.clock import timestamp
from portico_kit.errors import PermissionDeniedError, UnavailableError
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.common.email_addresses import new_email
from server.common.limiter import Payer
from server.common.roles import Roles
from server.features.emails.budgets import MailBudgets
from server.features.emails.facade import Mailer
from server.features.organizations import pending_invitations
from server.features.organizations.errors import (
    AlreadyMemberError,
    InvitationForAnotherAddressError,
    InvitationNotFoundError,
    InvitationRevokedError,
)
from server.features.organizations.mails import INVITATION
from server.features.organizations.models import Invitation, Organization
from server.features.organizations.ports import ApiKeys
from server.features.organizations.repository import (
    InvitationRepository,
    MembershipRepository,
    OrganizationRepository,
)
from server.features.organizations.roles import may_invite, permissions_of
from server.features.users.facade import Account, Accounts, Contact

PURPOSE = "one-time-token"
INVITATION_LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Invitations:
    """Issues invitations and takes them back in."""

    accounts: Accounts
    api_keys: ApiKeys
    mailer: Mailer
    budgets: MailBudgets
    secrets: Secrets
    roles: Roles

    async def issue(
        self, request: pb.CreateInvitationRequest, organization: Organization, call: Call
    ) -> Invitation:
        """A new invitation, with its mail on the way.

        Raises:
            PermissionDeniedError: if the caller is neither a person nor an API key.
            InvalidRequestError: if no mail can be sent to the address.
            AlreadyMemberError: if the address is a member's.
            IntegrityError: if it has a pending invitation; the constraint
                becomes INVITATION_PENDING.
            RateLimitExceededError: if the address, the caller or the organization
                has no mail left.
        """
        email = new_email(request.email)
        await self._require_no_member(organization.id, email, call)
        token = new_token()
        invitation = Invitation(
            id=new_id(),
            organization_id=organization.id,
            email=email,
            role=request.role,
            token_hash=self._hash(token),
            invited_by=call.principal.person_id,
            invited_by_api_key=self._inviting_key(call),
            expires_at=call.now + INVITATION_LIFETIME,
        )
        repository = InvitationRepository(call.db)
        await repository.close_expired(organization.id, email, call.now)
        repository.add(invitation)
        await call.db.flush()
        payer = Payer(organization.id, organization.tier)
        await self.budgets.charge(call, email, "invitation", payer)
        await self._mail(invitation, organization, token, call)
        return invitation

    async def find_by_token(self, token: str, call: Call) -> Invitation:
        """The invitation with this token; not locked, see `lock`.

        Raises:
            InvitationNotFoundError: if there is none.
        """
        invitation = await InvitationRepository(call.db).find_by_token(self._hash(token))
        if invitation is None:
            raise InvitationNotFoundError
        return invitation

    async def preview(self, invitation: Invitation, call: Call) -> pb.PreviewInvitationResponse:
        """What the invitation offers.

        Raises:
            InvitationNotFoundError: if the organization is deleted.
        """
        organization = await OrganizationRepository(call.db).find(invitation.organization_id)
        if organization is None:
            raise InvitationNotFoundError
        inviter = await self._inviter(invitation)
        return pb.PreviewInvitationResponse(
            organization_name=organization.name,
            inviter_name=inviter.display_name if inviter else "",
            email=invitation.email,
            role=invitation.role,
            status=invitation.status_at(call.now),
            expires_at=timestamp(invitation.expires_at),
        )

    async def lock(self, invitation: Invitation, call: Call) -> Organization:
        """Locks the organization and then the invitation; gives the former.

        Whoever removes or demotes the inviter locks in the same order, so either they find
        the invitation accepted, or who accepts finds the right gone.

        Raises:
            InvitationNotFoundError: if the organization is deleted.
        """
        organizations = OrganizationRepository(call.db)
        await organizations.lock(invitation.organization_id)
        organization = await organizations.find(invitation.organization_id)
        if organization is None:
            raise InvitationNotFoundError
        await InvitationRepository(call.db).lock(invitation)
        return organization

    async def addressee(self, invitation: Invitation, call: Call) -> Contact:
        """The caller, if the invitation is for the address that they have shown to be theirs.

        Their account is locked: they cannot be deleted before they are a member.

        Raises:
            InvitationForAnotherAddressError: if it is not.
        """
        account = await self.accounts.lock(call.db, call.user_id)
        if account is None or not account.verified or account.email != invitation.email:
            raise InvitationForAnotherAddressError
        return Contact(account.id, account.email, account.display_name)

    async def require_still_granted(self, invitation: Invitation, call: Call) -> None:
        """Asks the inviter's right again, for the invitation is used on the strength of it.

        Raises:
            DomainError: if the invitation is not pending.
            InvitationRevokedError: if the inviter has lost the right; it is revoked by this.
            UnavailableError: if only a newer release knows the role, which is being rolled out.
        """
        invitation.require_pending(call.now)
        if invitation.role not in self.roles:
            raise UnavailableError
        if not may_invite(
            self.roles, invitation.role, await self._inviter_permissions(invitation, call)
        ):
            pending_invitations.revoke(invitation, call)
            raise InvitationRevokedError

    def _inviting_key(self, call: Call) -> UUID | None:
        """The API key that invites; None if a person does.

        Raises:
            PermissionDeniedError: if neither does. Nobody else's right can be asked again
                when the invitation is accepted.
        """
        if call.principal.is_person:
            return None
        if call.principal.kind != self.api_keys.kind:
            raise PermissionDeniedError(needed="user")
        return call.principal.id

    async def _inviter_permissions(self, invitation: Invitation, call: Call) -> frozenset[str]:
        """What the person or the API key that invited may do now; nothing if it is not known."""
        organization_id = invitation.organization_id
        if invitation.invited_by_api_key is not None:
            return await self.api_keys.scopes(
                call.db, organization_id, invitation.invited_by_api_key, call.now
            )
        if invitation.invited_by is None:
            return frozenset()
        role = await MembershipRepository(call.db).acting_role(
            organization_id, invitation.invited_by
        )
        return permissions_of(self.roles, role) if role else frozenset()

    def _hash(self, token: str) -> bytes:
        return self.secrets.mac(PURPOSE, token)

    async def _require_no_member(self, organization_id: UUID, email: str, call: Call) -> None:
        account = await self.accounts.find_by_email(email)
        if account is None:
            return
        if await MembershipRepository(call.db).find(organization_id, account.id) is not None:
            raise AlreadyMemberError

    async def _inviter(self, invitation: Invitation) -> Account | None:
        """The person who invites; None if an API key does."""
        return await self.accounts.load(invitation.invited_by) if invitation.invited_by else None

    async def _mail(
        self, invitation: Invitation, organization: Organization, token: str, call: Call
    ) -> None:
        """Mails the token, in the name of who invited; an API key does so in the organization's."""
        inviter = await self._inviter(invitation)
        self.mailer.send(
            call,
            invitation.email,
            INVITATION,
            token=token,
            organization_name=organization.name,
            inviter_name=inviter.display_name if inviter else organization.name,
            role=invitation.role,
        )
