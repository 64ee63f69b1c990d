"""What happens to pending invitations when who sent them loses the right to invite."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from portico_kit.call import Call
from server.common.roles import Roles
from server.features.organizations import messages
from server.features.organizations.models import Invitation
from server.features.organizations.repository import InvitationRepository
from server.features.organizations.roles import may_invite

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PendingInvitations:
    """Revokes what could not be sent any more."""

    roles: Roles

    async def revoke_of_person(
        self,
        user_id: UUID,
        call: Call,
        *,
        organization_id: UUID | None = None,
        held: frozenset[str] = NOTHING,
    ) -> None:
        """Revokes the pending invitations of a person that they could not send any more.

        Args:
            organization_id: by default all of their organizations.
            held: the permissions that the person keeps.
        """
        repository = InvitationRepository(call.db)
        sent = await repository.lock_pending_of_person(user_id, call.now, organization_id)
        self._revoke(sent, held, call)

    async def revoke_of_api_key(
        self, organization_id: UUID, key_id: UUID, call: Call, *, held: frozenset[str] = NOTHING
    ) -> None:
        """Revokes the pending invitations of an API key that it could not send any more.

        Args:
            held: the scopes that the key keeps.
        """
        repository = InvitationRepository(call.db)
        self._revoke(
            await repository.lock_pending_of_api_key(organization_id, key_id, call.now), held, call
        )

    def _revoke(self, sent: Iterable[Invitation], held: frozenset[str], call: Call) -> None:
        for invitation in sent:
            if not may_invite(self.roles, invitation.role, held):
                revoke(invitation, call)


def revoke(invitation: Invitation, call: Call) -> None:
    """Revokes an invitation and records it.

    Raises:
        DomainError: if it is not pending; see `Invitation.require_pending`.
    """
    invitation.revoke(call.now)
    call.record(
        "invitation.revoked",
        organization_id=invitation.organization_id,
        target_id=invitation.id,
        data=messages.invitation(invitation, call.now),
    )
