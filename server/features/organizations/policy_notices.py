"""Mails to members about what their organization requires of them, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.clock import Clock
from portico_kit.storage.base import Sessions
from server.common.mail import Mail
from server.features.emails.facade import Mailer
from server.features.organizations.mails import FACTOR_NEEDED, FACTOR_NEEDED_SOON, PASSKEY_NEEDED
from server.features.organizations.models import Organization, SecurityPolicyNotice
from server.features.organizations.repository import (
    MembershipRepository,
    NoticeRepository,
    OrganizationRepository,
)
from server.features.users.facade import find_contacts
from server.features.users.notices import readable

BATCH = 100


@dataclass(frozen=True, slots=True)
class PolicyNotices:
    """Sends the notices that are due.

    A batch is one transaction, with where it ends: a worker that is killed has sent it or
    has not, and the next one goes on from there.
    """

    sessions: Sessions
    mailer: Mailer
    clock: Clock

    async def __call__(self) -> None:
        """Sends all that are due."""
        while await self._send_batch():
            pass

    async def _send_batch(self) -> bool:
        """Whether there may be more."""
        async with self.sessions.begin() as db:
            notice = await NoticeRepository(db).next_due(self.clock())
            if notice is None:
                return False
            organization = await OrganizationRepository(db).find(notice.organization_id)
            if organization is None or organization.second_factor_from is None:
                await db.delete(notice)
                return True
            await self._send(db, notice, organization)
            return True

    async def _send(
        self, db: AsyncSession, notice: SecurityPolicyNotice, organization: Organization
    ) -> None:
        assert organization.second_factor_from is not None
        members = await MembershipRepository(db).without_factor(
            organization, after=notice.after_membership_id, limit=BATCH
        )
        contacts = await find_contacts(db, [member.user_id for member in members])
        for contact in contacts.values():
            if contact.active:
                self.mailer.queue(
                    db,
                    contact.email,
                    _mail(notice, organization),
                    display_name=contact.display_name,
                    organization_name=organization.name,
                    required_from=readable(organization.second_factor_from),
                )
        if len(members) < BATCH:
            await db.delete(notice)
        else:
            notice.after_membership_id = members[-1].id


def _mail(notice: SecurityPolicyNotice, organization: Organization) -> Mail:
    if notice.kind == "reminder":
        return FACTOR_NEEDED_SOON
    return PASSKEY_NEEDED if organization.second_factor == "phishing_resistant" else FACTOR_NEEDED
