"""Organizations: the tenants, their members, invitations and limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from server.common.roles import Role
from server.feature import Feature, Job, Served, Tables
from server.features.organizations.mails import MAILS
from server.features.organizations.names import POLICY_NOTICES_TASK

if TYPE_CHECKING:
    from server.parts import CoreParts, WorkerParts

EVENTS = {
    "invitation.created": "A person was invited to the organization.",
    "invitation.declined": "An invitation was declined.",
    "invitation.revoked": "An invitation was revoked, or its inviter may no longer invite.",
    "member.added": "A person joined the organization.",
    "member.removed": "A person is no longer a member of the organization.",
    "member.updated": "The role of a member changed.",
    "organization.created": "The organization was created.",
    "organization.security_policy_updated": "What the organization asks of its members changed.",
    "organization.updated": "The name or slug of the organization changed.",
}


def _tables() -> Tables:
    from server.features.organizations import models

    return Tables(
        models=(
            models.Role,
            models.Organization,
            models.OrganizationLimits,
            models.Membership,
            models.Invitation,
            models.SecurityPolicyNotice,
        ),
        constraint_errors=models.CONSTRAINT_ERRORS,
    )


def _provide(parts: CoreParts) -> None:
    from server.features.organizations.facade import Tenants
    from server.features.organizations.limits import LimitsProjection
    from server.features.organizations.offboarding import Offboarding
    from server.features.organizations.operator import OperatorOrganization
    from server.features.organizations.pending_invitations import PendingInvitations
    from server.features.organizations.ports import ApiKeys, Applications, Grants
    from server.features.users.ports import Memberships, Ownerships

    operator_id = parts.settings.operator_organization

    parts.provide(Tenants, lambda: Tenants(parts.reads, parts.roles))
    parts.provide(Ownerships, lambda: parts.get(Tenants))
    parts.provide(PendingInvitations, lambda: PendingInvitations(parts.roles))
    parts.provide(
        Offboarding,
        lambda: Offboarding(
            parts.get(ApiKeys),
            parts.get(Applications),
            parts.get(Grants),
            parts.get(PendingInvitations),
        ),
    )
    parts.provide(Memberships, lambda: parts.get(Offboarding))
    parts.provide(LimitsProjection, lambda: LimitsProjection(parts.engine, parts.redis))
    parts.provide(
        OperatorOrganization,
        lambda: OperatorOrganization(parts.engine, parts.get(Tenants), operator_id),
    )


def _serve(parts: CoreParts) -> Served:
    from portico.organizations.v1.organization_service_pb2 import DESCRIPTOR

    from portico_kit.service import Service
    from server.features.emails.budgets import MailBudgets
    from server.features.emails.facade import Mailer
    from server.features.organizations.appointments import Appointments
    from server.features.organizations.facade import Tenants
    from server.features.organizations.invitations import Invitations
    from server.features.organizations.limits import LimitsProjection
    from server.features.organizations.offboarding import Offboarding
    from server.features.organizations.operator import OperatorOrganization
    from server.features.organizations.pending_invitations import PendingInvitations
    from server.features.organizations.ports import ApiKeys, ReachableLevels, Subscriptions
    from server.features.organizations.security_policies import SecurityPolicies
    from server.features.organizations.service import OrganizationService
    from server.features.users.facade import Accounts

    accounts, mailer, tenants = parts.get(Accounts), parts.get(Mailer), parts.get(Tenants)
    limits, operator = parts.get(LimitsProjection), parts.get(OperatorOrganization)
    service = OrganizationService(
        accounts=accounts,
        tenants=tenants,
        invitations=Invitations(
            accounts,
            parts.get(ApiKeys),
            mailer,
            parts.get(MailBudgets),
            parts.secrets,
            parts.roles,
        ),
        offboarding=parts.get(Offboarding),
        appointments=Appointments(accounts, mailer),
        security_policies=SecurityPolicies(
            parts.roles, parts.get(ReachableLevels), parts.get(MailBudgets), mailer
        ),
        subscriptions=parts.get(Subscriptions),
        invalidator=parts.invalidator,
        limits=limits,
        pending_invitations=parts.get(PendingInvitations),
        roles=parts.roles,
        cursors=parts.cursors,
    )
    return Served(
        services=(Service(DESCRIPTOR.services_by_name["OrganizationService"], service),),
        projections=(limits,),
        consents={"keys:import": tenants.allows_key_import},
        before_start=(operator.refresh,),
        background=(operator.keep_fresh,) if operator.is_set else (),
    )


def _tasks(parts: WorkerParts) -> Mapping[str, Job]:
    from server.features.organizations.tasks import tasks

    return tasks(parts)


FEATURE = Feature(
    name="organizations",
    permissions={
        "organization:read": Role.VIEWER,
        "organization:write": Role.ADMIN,
        "organization:delete": Role.OWNER,
        "organization:secure": Role.OWNER,
        "members:read": Role.VIEWER,
        "members:write": Role.ADMIN,
    },
    events=EVENTS,
    mails=MAILS,
    schedule={POLICY_NOTICES_TASK: timedelta(minutes=1)},
    tables=_tables,
    provide=_provide,
    serve=_serve,
    tasks=_tasks,
)
