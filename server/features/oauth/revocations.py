"""How grants are revoked with what they hang on: a membership, or the application."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from portico_kit.call import Call
from portico_kit.credentials import Principal
from server.features.applications.facade import Applications, Client
from server.features.oauth import messages
from server.features.oauth.models import StoredGrant
from server.features.oauth.repository import GrantRepository
from server.features.organizations.facade import Tenants

# Grants whose end one call records. Whoever deletes an application must not wait for a log.
MOST = 1_000


@dataclass(frozen=True, slots=True)
class GrantRevocations:
    """Revokes them, and records each that belongs to an organization; `MOST` at the most."""

    applications: Applications
    tenants: Tenants

    async def revoke_of_member(self, user_id: UUID, organization_id: UUID, call: Call) -> None:
        """Revokes what a person let applications do in an organization that they leave."""
        repository = GrantRepository(call.db)
        grants = await repository.revoke_of_member(user_id, organization_id, call.now)
        await self._record(grants, call)

    async def revoke_of_application(self, application_id: UUID, call: Call) -> None:
        """Revokes what people let an application do that is deleted.

        In their organizations it is the application that ends it: of those who own it they
        know nobody.
        """
        grants = await GrantRepository(call.db).revoke_of_application(application_id, call.now)
        await self._record(grants, call, Principal("application", application_id))

    async def has_people(self, application_id: UUID, call: Call) -> bool:
        """Whether anybody has let an application in, whether that has ended or not."""
        return await GrantRepository(call.db).exist_of_application(application_id)

    async def _record(
        self, grants: Sequence[StoredGrant], call: Call, actor: Principal | None = None
    ) -> None:
        ended = [each for each in grants if each.organization_id is not None][:MOST]
        clients = await self._clients(ended)
        names = await self._names(ended)
        for each in ended:
            client, name = clients.get(each.application_id), names.get(each.organization_id, "")
            call.record(
                "grant.revoked",
                organization_id=each.organization_id,
                target_id=each.id,
                data=messages.grant(each, client, name),
                actor=actor,
            )

    async def _clients(self, grants: Sequence[StoredGrant]) -> dict[UUID, Client | None]:
        ids = list({each.application_id for each in grants})
        found = await asyncio.gather(*(self.applications.find_by_id(each) for each in ids))
        return dict(zip(ids, found, strict=True))

    async def _names(self, grants: Sequence[StoredGrant]) -> dict[UUID | None, str]:
        ids = list({each.organization_id for each in grants if each.organization_id is not None})
        found = await asyncio.gather(*(self.tenants.find(each) for each in ids))
        return {view.id: view.name for view in found if view is not None}
