"""Organizations, members and invitations: the verbs. Each looks, decides and answers."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico.organizations.v1 import organization_service_pb2 as pb
from portico.organizations.v1.organization_pb2 import Invitation as InvitationMessage
from portico.organizations.v1.organization_pb2 import Member as MemberMessage
from portico.organizations.v1.organization_pb2 import Organization as OrganizationMessage

from portico_kit.call import Call
from portico_kit.changes import changed_fields
from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.errors import NotFoundError, UnauthenticatedError
from portico_kit.ids import parse_id
from portico_kit.paging import Cursors
from server.common.roles import Roles
from server.features.organizations import members, messages
from server.features.organizations.appointments import Appointments
from server.features.organizations.errors import (
    InvitationNotFoundError,
    MemberNotFoundError,
    SlugTakenError,
)
from server.features.organizations.facade import Tenants
from server.features.organizations.invitations import Invitations
from server.features.organizations.limits import LimitsProjection, known_time_zone, unlimited
from server.features.organizations.models import (
    Invitation,
    Membership,
    Organization,
    OrganizationLimits,
)
from server.features.organizations.offboarding import Offboarding
from server.features.organizations.pending_invitations import PendingInvitations, revoke
from server.features.organizations.ports import Subscriptions
from server.features.organizations.read_models import OrganizationView
from server.features.organizations.repository import (
    InvitationRepository,
    LimitsRepository,
    MembershipRepository,
    OrganizationRepository,
)
from server.features.organizations.roles import OWNER, require_grantable
from server.features.organizations.security_policies import SecurityPolicies
from server.features.organizations.slugs import require_free_to_choose, slug_candidates
from server.features.users.facade import Accounts, Contact


@dataclass(frozen=True, slots=True)
class OrganizationService:
    """Serves portico.organizations.v1.OrganizationService."""

    accounts: Accounts
    tenants: Tenants
    invitations: Invitations
    offboarding: Offboarding
    appointments: Appointments
    security_policies: SecurityPolicies
    subscriptions: Subscriptions
    invalidator: CacheInvalidator
    limits: LimitsProjection
    pending_invitations: PendingInvitations
    roles: Roles
    cursors: Cursors

    async def CreateOrganization(
        self, request: pb.CreateOrganizationRequest, call: Call
    ) -> pb.CreateOrganizationResponse:
        # Locked, lest the account be deleted meanwhile and leave an organization to nobody.
        if await self.accounts.lock(call.db, call.user_id) is None:
            raise UnauthenticatedError
        organization = await _create(request, call)
        _new_member(organization, call.user_id, OWNER, call)
        _record("organization.created", organization, call)
        call.location(f"/api/v1/organizations/{organization.id}")
        return pb.CreateOrganizationResponse(
            organization=messages.organization(organization, OWNER)
        )

    async def ListOrganizations(
        self, request: pb.ListOrganizationsRequest, call: Call
    ) -> pb.ListOrganizationsResponse:
        paging = self.cursors.paging(request, call.user_id)
        page = await OrganizationRepository(call.db).list_of(call.user_id, paging, self.cursors)
        ids = [organization.id for organization in page.rows]
        own = await MembershipRepository(call.db).of_person(call.user_id, ids)
        return pb.ListOrganizationsResponse(
            organizations=[messages.listed(row, own.get(row.id)) for row in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def GetOrganization(
        self, request: pb.GetOrganizationRequest, call: Call
    ) -> pb.GetOrganizationResponse:
        organization = await self.tenants.find(parse_id(request.organization_id))
        if organization is None:
            raise NotFoundError
        return pb.GetOrganizationResponse(organization=await _shown(organization, call))

    async def UpdateOrganization(
        self, request: pb.UpdateOrganizationRequest, call: Call
    ) -> pb.UpdateOrganizationResponse:
        organization = await _find(request.organization_id, call)
        call.expect(organization.version)
        changed = changed_fields(request)
        if "name" in changed:
            organization.name = request.name
        if "slug" in changed and request.slug != organization.slug:
            require_free_to_choose(request.slug)
            organization.slug = request.slug
        if "allow_key_import" in changed:
            if request.allow_key_import:
                # Imported keys can have any scopes, so this grants all that an owner may do.
                require_grantable(self.roles, OWNER, call.permissions(organization.id))
            organization.allow_key_import = request.allow_key_import
        await call.db.flush()
        await call.db.refresh(organization)
        if call.changed(organization.version):
            _record("organization.updated", organization, call)
        return pb.UpdateOrganizationResponse(organization=await _shown(organization, call))

    async def DeleteOrganization(
        self, request: pb.DeleteOrganizationRequest, call: Call
    ) -> pb.DeleteOrganizationResponse:
        organization = await _find(request.organization_id, call)
        call.expect(organization.version)
        await self.subscriptions.silence(call.db, organization.id)
        organization.deleted_at = call.now
        call.ended_access = "membership"
        _record("organization.deleted", organization, call)
        call.after_commit.append(lambda: self.invalidator.organization_changed(organization.id))
        return pb.DeleteOrganizationResponse()

    async def GetOrganizationLimits(
        self, request: pb.GetOrganizationLimitsRequest, call: Call
    ) -> pb.GetOrganizationLimitsResponse:
        organization = await _find(request.organization_id, call)
        limits = await LimitsRepository(call.db).find(organization.id)
        limits = limits or unlimited(organization.id)
        call.etag(limits.version)
        return pb.GetOrganizationLimitsResponse(limits=messages.limits(limits))

    async def UpdateOrganizationLimits(
        self, request: pb.UpdateOrganizationLimitsRequest, call: Call
    ) -> pb.UpdateOrganizationLimitsResponse:
        organization = await _find(request.organization_id, call)
        limits = await _find_limits_to_change(organization.id, call)
        limits.time_zone = known_time_zone(request.time_zone)
        limits.multiplier_percent = request.multiplier_percent or 100
        limits.overrides = dict(messages.overrides(request))
        limits.shadow = request.shadow
        limits.shadow_rules = list(request.shadow_rules)
        await call.db.flush()
        call.etag(limits.version)
        shown = messages.limits(limits)
        if call.changed(limits.version):
            call.record(
                "organization.limits_updated",
                organization_id=organization.id,
                target_id=organization.id,
                data=shown,
            )
            call.after_commit.append(lambda: self.limits.write(limits))
        return pb.UpdateOrganizationLimitsResponse(limits=shown)

    async def GetSecurityPolicy(
        self, request: pb.GetSecurityPolicyRequest, call: Call
    ) -> pb.GetSecurityPolicyResponse:
        organization = await _find(request.organization_id, call)
        call.etag(organization.version)
        return pb.GetSecurityPolicyResponse(policy=messages.security_policy(organization))

    async def UpdateSecurityPolicy(
        self, request: pb.UpdateSecurityPolicyRequest, call: Call
    ) -> pb.UpdateSecurityPolicyResponse:
        organization = await self.security_policies.update(request, call)
        call.etag(organization.version)
        return pb.UpdateSecurityPolicyResponse(policy=messages.security_policy(organization))

    async def ListMembers(
        self, request: pb.ListMembersRequest, call: Call
    ) -> pb.ListMembersResponse:
        paging = self.cursors.paging(request)
        organization_id = parse_id(request.organization_id)
        page = await MembershipRepository(call.db).list(organization_id, paging, self.cursors)
        contacts = await self.accounts.contacts(call.db, [row.user_id for row in page.rows])
        found = [(row, contacts.get(row.user_id)) for row in page.rows]
        return pb.ListMembersResponse(
            members=[messages.member(row, contact) for row, contact in found if contact],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def UpdateMember(
        self, request: pb.UpdateMemberRequest, call: Call
    ) -> pb.UpdateMemberResponse:
        organization_id = parse_id(request.organization_id)
        member = await self._find_to_change(request, call)
        held = await members.permissions_now(organization_id, call, self.roles)
        require_grantable(self.roles, request.role, held)
        if request.role != OWNER:
            await members.require_other_owner(member, call)
        member.role = request.role
        await self.pending_invitations.revoke_of_person(
            member.user_id, call, organization_id=organization_id, held=self.roles[request.role]
        )
        if _is_caller(member, call) and call.method.permission not in self.roles[member.role]:
            call.ended_access = "permission"
        await call.db.flush()
        await call.db.refresh(member)
        shown = messages.member(member, await self._contact(member, call))
        if call.changed(member.version):
            _record_member("member.updated", member, shown, call)
        call.etag(member.version)
        return pb.UpdateMemberResponse(member=shown)

    async def UpdateMemberSecurityPolicy(
        self, request: pb.UpdateMemberSecurityPolicyRequest, call: Call
    ) -> pb.UpdateMemberSecurityPolicyResponse:
        member, contact = await self.security_policies.require_of(request, call)
        shown = messages.member(member, contact)
        if call.changed(member.version):
            _record_member("member.updated", member, shown, call)
        call.etag(member.version)
        return pb.UpdateMemberSecurityPolicyResponse(member=shown)

    async def RemoveMember(
        self, request: pb.RemoveMemberRequest, call: Call
    ) -> pb.RemoveMemberResponse:
        member = await self._find_to_change(request, call)
        await members.require_other_owner(member, call)
        contact = await self._contact(member, call)
        left = await self.offboarding.remove(member, contact, call)
        if _is_caller(member, call):
            call.ended_access = "membership"
        return pb.RemoveMemberResponse(
            api_key_ids=[str(key_id) for key_id in left.key_ids],
            has_more_api_keys=left.has_more_keys,
            application_ids=[str(each) for each in left.application_ids],
        )

    async def LeaveOrganization(
        self, request: pb.LeaveOrganizationRequest, call: Call
    ) -> pb.LeaveOrganizationResponse:
        member = await members.find_own(parse_id(request.organization_id), call)
        await members.require_other_owner(member, call)
        await self.offboarding.remove(member, await self._contact(member, call), call)
        call.ended_access = "membership"
        return pb.LeaveOrganizationResponse()

    async def AppointOwner(
        self, request: pb.AppointOwnerRequest, call: Call
    ) -> pb.AppointOwnerResponse:
        return pb.AppointOwnerResponse(member=await self.appointments.appoint(request, call))

    async def CreateInvitation(
        self, request: pb.CreateInvitationRequest, call: Call
    ) -> pb.CreateInvitationResponse:
        organization = await _find(request.organization_id, call)
        require_grantable(self.roles, request.role, call.permissions(organization.id))
        invitation = await self.invitations.issue(request, organization, call)
        shown = messages.invitation(invitation, call.now)
        _record_invitation("invitation.created", invitation, shown, call)
        call.location(f"/api/v1/invitations/{invitation.id}")
        return pb.CreateInvitationResponse(invitation=shown)

    async def ListInvitations(
        self, request: pb.ListInvitationsRequest, call: Call
    ) -> pb.ListInvitationsResponse:
        paging = self.cursors.paging(request)
        organization_id = parse_id(request.organization_id)
        page = await InvitationRepository(call.db).list(organization_id, paging, self.cursors)
        return pb.ListInvitationsResponse(
            invitations=[messages.invitation(row, call.now) for row in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def RevokeInvitation(
        self, request: pb.RevokeInvitationRequest, call: Call
    ) -> pb.RevokeInvitationResponse:
        repository = InvitationRepository(call.db)
        invitation = await repository.find_to_change(parse_id(request.invitation_id), call.tenants)
        if invitation is None:
            raise InvitationNotFoundError
        call.authorize(invitation.organization_id)
        call.expect(invitation.version)
        revoke(invitation, call)
        return pb.RevokeInvitationResponse()

    async def PreviewInvitation(
        self, request: pb.PreviewInvitationRequest, call: Call
    ) -> pb.PreviewInvitationResponse:
        invitation = await self.invitations.find_by_token(request.token, call)
        return await self.invitations.preview(invitation, call)

    async def AcceptInvitation(
        self, request: pb.AcceptInvitationRequest, call: Call
    ) -> pb.AcceptInvitationResponse:
        invitation = await self.invitations.find_by_token(request.token, call)
        addressee = await self.invitations.addressee(invitation, call)
        organization = await self.invitations.lock(invitation, call)
        await self.invitations.require_still_granted(invitation, call)
        invitation.accept(call.now)
        member = _new_member(organization, call.user_id, invitation.role, call)
        await call.db.flush()
        _record_member("member.added", member, messages.member(member, addressee), call)
        shown = messages.organization(organization, member.role)
        return pb.AcceptInvitationResponse(organization=shown)

    async def DeclineInvitation(
        self, request: pb.DeclineInvitationRequest, call: Call
    ) -> pb.DeclineInvitationResponse:
        invitation = await self.invitations.find_by_token(request.token, call)
        await self.invitations.lock(invitation, call)
        invitation.decline(call.now)
        shown = messages.invitation(invitation, call.now)
        _record_invitation("invitation.declined", invitation, shown, call)
        return pb.DeclineInvitationResponse()

    async def _find_to_change(
        self, request: pb.UpdateMemberRequest | pb.RemoveMemberRequest, call: Call
    ) -> Membership:
        organization_id, user_id = parse_id(request.organization_id), parse_id(request.user_id)
        return await members.find_to_change(organization_id, user_id, call, self.roles)

    async def _contact(self, member: Membership, call: Call) -> Contact:
        """How the member is named; who has no account any more is no member either."""
        found = await self.accounts.contacts(call.db, [member.user_id])
        if member.user_id not in found:
            raise MemberNotFoundError
        return found[member.user_id]


async def _create(request: pb.CreateOrganizationRequest, call: Call) -> Organization:
    """A new organization with the slug that was asked for, or with one made from its name."""
    require_free_to_choose(request.slug)
    slugs = [request.slug] if request.slug else slug_candidates(request.name)
    for slug in slugs:
        organization = await OrganizationRepository(call.db).create(request.name, slug)
        if organization is not None:
            return organization
    raise SlugTakenError


def _is_caller(member: Membership, call: Call) -> bool:
    return member.user_id == call.principal.person_id


def _new_member(organization: Organization, user_id: UUID, role: str, call: Call) -> Membership:
    member = Membership(organization_id=organization.id, user_id=user_id, role=role)
    MembershipRepository(call.db).add(member)
    return member


async def _find(organization_id: str, call: Call) -> Organization:
    """The organization; the access interceptor has authorized the caller for it."""
    organization = await OrganizationRepository(call.db).find(parse_id(organization_id))
    if organization is None:
        raise NotFoundError
    return organization


async def _find_limits_to_change(organization_id: UUID, call: Call) -> OrganizationLimits:
    """The limits of an organization, locked; its first ones if it has none."""
    repository = LimitsRepository(call.db)
    limits = await repository.find_to_change(organization_id)
    if limits is None:
        limits = unlimited(organization_id)
        call.expect(limits.version)
        repository.add(limits)
    else:
        call.expect(limits.version)
    return limits


async def _shown(organization: Organization | OrganizationView, call: Call) -> OrganizationMessage:
    """The organization as the caller sees it, with its version."""
    role = ""
    if call.principal.is_person:
        member = await MembershipRepository(call.db).find(organization.id, call.user_id)
        role = member.role if member is not None else ""
    call.etag(organization.version)
    return messages.organization(organization, role)


def _record(action: str, organization: Organization, call: Call) -> None:
    """Records a change; without a role, for the event is told to more than the caller."""
    shown = messages.organization(organization, "")
    call.record(action, organization_id=organization.id, target_id=organization.id, data=shown)


def _record_member(action: str, member: Membership, shown: MemberMessage, call: Call) -> None:
    call.record(
        action, organization_id=member.organization_id, target_id=member.user_id, data=shown
    )


def _record_invitation(
    action: str, invitation: Invitation, shown: InvitationMessage, call: Call
) -> None:
    call.record(
        action, organization_id=invitation.organization_id, target_id=invitation.id, data=shown
    )
