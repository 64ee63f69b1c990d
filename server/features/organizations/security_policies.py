"""What an organization asks of its members at a sign-in, and who may say so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portico.organizations.v1 import organization_service_pb2 as pb

from portico_kit.assurance import Assurance
from portico_kit.call import Call
from portico_kit.clock import requested_moment
from portico_kit.errors import NotFoundError, PermissionDeniedError
from portico_kit.ids import parse_id
from server.common.limiter import Payer
from server.common.roles import Roles
from server.features.emails.budgets import MailBudgets
from server.features.emails.facade import Mailer
from server.features.organizations import members, messages
from server.features.organizations.errors import MemberNotFoundError, OwnFactorRequiredError
from server.features.organizations.mails import (
    FACTOR_REQUIRED_OF_YOU,
    PASSKEY_REQUIRED_OF_YOU,
)
from server.features.organizations.models import Membership, Organization, SecurityPolicyNotice
from server.features.organizations.names import POLICY_NOTICES_TASK
from server.features.organizations.policy_rules import LEVELS, OFF, begins_at, reminded_at
from server.features.organizations.ports import ReachableLevels
from server.features.organizations.repository import NoticeRepository, OrganizationRepository
from server.features.users.facade import Contact, find_contacts

# In the place of an address: what an organization sends to all of its members at once.
ALL_MEMBERS = "security-policy.invalid"


@dataclass(frozen=True, slots=True)
class SecurityPolicies:
    """Changes what organizations ask of their members."""

    roles: Roles
    levels: ReachableLevels
    budgets: MailBudgets
    mailer: Mailer

    async def update(self, request: pb.UpdateSecurityPolicyRequest, call: Call) -> Organization:
        """Replaces the policy, and has the members notified.

        Raises:
            PermissionDeniedError: if the caller is no person, or no owner any more.
            OwnFactorRequiredError: if the caller has no such factor.
        """
        if not call.acts_as_person:
            raise PermissionDeniedError(needed="user")
        wanted = "" if request.second_factor == OFF else request.second_factor
        if wanted:
            await self._require_own(LEVELS[wanted], call)
        organization = await self._lock(parse_id(request.organization_id), call)
        call.expect(organization.version)
        before = _requirement(organization)
        _apply(request, wanted, organization, call.now)
        await call.db.flush()
        await call.db.refresh(organization)
        if _requirement(organization) != before:
            await self._notify_later(organization, call)
        if call.changed(organization.version):
            call.record(
                "organization.security_policy_updated",
                organization_id=organization.id,
                target_id=organization.id,
                data=messages.security_policy(organization),
            )
        return organization

    async def require_of(
        self, request: pb.UpdateMemberSecurityPolicyRequest, call: Call
    ) -> tuple[Membership, Contact]:
        """Says what is required of one member, and has them notified.

        Raises:
            PermissionDeniedError: if the caller is no person, or no owner any more.
            OwnFactorRequiredError: if the caller has no such factor.
            MemberNotFoundError: if the person is no member.
        """
        if not call.acts_as_person:
            raise PermissionDeniedError(needed="user")
        wanted = "" if request.second_factor == OFF else request.second_factor
        if wanted:
            await self._require_own(LEVELS[wanted], call)
        organization = await self._lock(parse_id(request.organization_id), call)
        user_id = parse_id(request.user_id)
        member = await members.find_to_change(organization.id, user_id, call, self.roles)
        contact = (await find_contacts(call.db, [user_id])).get(user_id)
        if contact is None:
            raise MemberNotFoundError
        member.require(wanted, call.now)
        await call.db.flush()
        await call.db.refresh(member)
        if wanted and call.changed(member.version):
            await self._notify(member, contact, organization, call)
        return member, contact

    async def _notify(
        self, member: Membership, contact: Contact, organization: Organization, call: Call
    ) -> None:
        """Mails a member what is required of them from now on."""
        payer = Payer(organization.id, organization.tier)
        await self.budgets.charge(call, contact.email, "security_policy", payer)
        passkey = member.second_factor == "phishing_resistant"
        self.mailer.send(
            call,
            contact.email,
            PASSKEY_REQUIRED_OF_YOU if passkey else FACTOR_REQUIRED_OF_YOU,
            display_name=contact.display_name,
            organization_name=organization.name,
        )

    async def _require_own(self, level: Assurance, call: Call) -> None:
        """Refuses a caller who could not do what they ask of others."""
        session_id = call.principal.session_id
        assert session_id is not None
        if not await self.levels.can_reach(session_id, call.user_id, level):
            raise OwnFactorRequiredError

    async def _lock(self, organization_id: UUID, call: Call) -> Organization:
        """The organization, for a caller who may still do this once they have it alone."""
        organizations = OrganizationRepository(call.db)
        if not await organizations.lock(organization_id):
            raise NotFoundError
        held = await members.permissions_now(organization_id, call, self.roles)
        if call.method.permission not in held:
            raise PermissionDeniedError(permission=call.method.permission)
        organization = await organizations.find(organization_id)
        if organization is None:
            raise NotFoundError
        return organization

    async def _notify_later(self, organization: Organization, call: Call) -> None:
        """Has the workers mail the members: there may be thousands.

        It is charged as one mail to all of them together, so that nobody can have them
        mailed again and again.
        """
        notices = NoticeRepository(call.db)
        await notices.delete_all(organization.id)
        begins = organization.second_factor_from
        if begins is None:
            return
        payer = Payer(organization.id, organization.tier)
        recipient = f"{organization.id}@{ALL_MEMBERS}"
        await self.budgets.charge(call, recipient, "security_policy", payer)
        notices.add(
            SecurityPolicyNotice(
                organization_id=organization.id, kind="announcement", due_at=call.now
            )
        )
        reminded = reminded_at(begins, call.now)
        if reminded is not None:
            notices.add(
                SecurityPolicyNotice(
                    organization_id=organization.id, kind="reminder", due_at=reminded
                )
            )
        call.tasks.add(POLICY_NOTICES_TASK)


def _requirement(organization: Organization) -> tuple[object, ...]:
    """What members have to be notified of if it changes."""
    return (
        organization.second_factor,
        organization.second_factor_from,
        tuple(organization.second_factor_roles or ()),
    )


def _apply(
    request: pb.UpdateSecurityPolicyRequest, wanted: str, organization: Organization, now: datetime
) -> None:
    """Sets the columns.

    Args:
        wanted: the requirement, "" for none.
    """
    organization.forbid_remembered_devices = request.forbid_remembered_devices
    if not wanted:
        organization.second_factor = None
        organization.second_factor_from = None
        organization.second_factor_roles = None
        return
    wanted_from = requested_moment(request, "second_factor_from")
    present = organization.second_factor_from
    # A stricter requirement does not begin before somebody has said so.
    same = organization.second_factor == wanted
    organization.second_factor_from = begins_at(wanted_from, present if same else None, now)
    organization.second_factor = wanted
    organization.second_factor_roles = sorted(request.roles) or None
