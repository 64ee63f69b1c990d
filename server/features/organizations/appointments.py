"""How an organization without an owner who can act gets one from the platform."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico.organizations.v1 import organization_service_pb2 as pb
from portico.organizations.v1.organization_pb2 import Member as MemberMessage

from portico_kit.call import Call
from portico_kit.errors import NotFoundError
from portico_kit.ids import parse_id
from server.features.emails.facade import Mailer
from server.features.organizations import messages
from server.features.organizations.errors import (
    OrganizationHasOwnerError,
    OwnerNotMemberError,
    OwnerSuspendedError,
    SelfAppointmentError,
)
from server.features.organizations.mails import OWNER_APPOINTED
from server.features.organizations.models import Membership, Organization
from server.features.organizations.repository import MembershipRepository, OrganizationRepository
from server.features.organizations.roles import OWNER
from server.features.users.errors import UserNotFoundError
from server.features.users.facade import Accounts, Contact, find_contacts

# How many owners and admins are informed beside the new owner.
INFORMED = 100


@dataclass(frozen=True, slots=True)
class Appointments:
    """Appoints owners of organizations whose own owners are gone or suspended."""

    accounts: Accounts
    mailer: Mailer

    async def appoint(self, request: pb.AppointOwnerRequest, call: Call) -> MemberMessage:
        """Makes somebody the owner, and informs everybody who manages the organization.

        Raises:
            SelfAppointmentError: if it is the caller.
            UserNotFoundError: if there is no such account.
            OwnerSuspendedError: if the account is suspended.
            NotFoundError: if there is no such organization.
            OrganizationHasOwnerError: if it has an owner who can act.
            OwnerNotMemberError: if it is no member, and a member could be appointed.
        """
        user_id = parse_id(request.user_id)
        if user_id == call.user_id:
            raise SelfAppointmentError
        contact = await self._lock_account(user_id, call)
        organization = await _lock_orphan(parse_id(request.organization_id), call)
        action, member = await _make_owner(organization.id, user_id, call)
        await call.db.flush()
        await call.db.refresh(member)
        shown = messages.member(member, contact)
        call.record(action, organization_id=organization.id, target_id=user_id, data=shown)
        await self._inform(organization, contact, call)
        return shown

    async def _lock_account(self, user_id: UUID, call: Call) -> Contact:
        account = await self.accounts.lock(call.db, user_id)
        if account is None:
            raise UserNotFoundError
        if not account.active:
            raise OwnerSuspendedError
        return Contact(account.id, account.email, account.display_name)

    async def _inform(self, organization: Organization, owner: Contact, call: Call) -> None:
        """Also suspended owners hear of it: it is their organization that changes hands."""
        managers = await MembershipRepository(call.db).managers(organization.id, INFORMED)
        contacts = {owner.id: owner, **await find_contacts(call.db, managers)}
        for contact in contacts.values():
            self.mailer.send(
                call,
                contact.email,
                OWNER_APPOINTED,
                display_name=contact.display_name,
                organization_name=organization.name,
                owner_name=owner.display_name,
            )


async def _lock_orphan(organization_id: UUID, call: Call) -> Organization:
    """The organization, locked, if it has no owner who can act."""
    organizations = OrganizationRepository(call.db)
    await organizations.lock(organization_id)
    organization = await organizations.find(organization_id)
    if organization is None:
        raise NotFoundError
    if await MembershipRepository(call.db).has_acting_owner(organization_id):
        raise OrganizationHasOwnerError
    return organization


async def _make_owner(organization_id: UUID, user_id: UUID, call: Call) -> tuple[str, Membership]:
    """What was done, "member.added" or "member.updated", and the owner."""
    repository = MembershipRepository(call.db)
    member = await repository.find(organization_id, user_id)
    if member is not None:
        member.role = OWNER
        return "member.updated", member
    if await repository.has_acting_member(organization_id):
        raise OwnerNotMemberError
    member = Membership(organization_id=organization_id, user_id=user_id, role=OWNER)
    repository.add(member)
    return "member.added", member
