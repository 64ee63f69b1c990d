"""Grants: the methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portico.oauth.v1 import grant_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.clock import timestamp
from portico_kit.errors import NotFoundError
from portico_kit.ids import parse_id
from portico_kit.paging import Cursors
from server.features.applications.facade import Applications, owned_by
from server.features.oauth import messages
from server.features.oauth.errors import GrantNotFoundError
from server.features.oauth.models import StoredGrant
from server.features.oauth.repository import GrantRepository
from server.features.organizations.facade import Tenants


@dataclass(frozen=True, slots=True)
class GrantService:
    """Serves portico.oauth.v1.GrantService."""

    applications: Applications
    tenants: Tenants
    cursors: Cursors

    async def ListGrants(self, request: pb.ListGrantsRequest, call: Call) -> pb.ListGrantsResponse:
        paging = self.cursors.paging(request, call.user_id)
        page = await GrantRepository(call.db).list(call.user_id, paging, self.cursors)
        return pb.ListGrantsResponse(
            grants=await self._shown(page.rows),
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def RevokeGrant(
        self, request: pb.RevokeGrantRequest, call: Call
    ) -> pb.RevokeGrantResponse:
        grant = await GrantRepository(call.db).find(parse_id(request.grant_id), call.user_id)
        if grant is None:
            raise GrantNotFoundError
        grant.revoked_at = call.now
        [shown] = await self._shown([grant])
        call.record(
            "grant.revoked",
            organization_id=grant.organization_id,
            target_id=grant.id,
            data=shown,
        )
        return pb.RevokeGrantResponse()

    async def GetApplicationUsage(
        self, request: pb.GetApplicationUsageRequest, call: Call
    ) -> pb.GetApplicationUsageResponse:
        application_id = parse_id(request.application_id)
        organization_id = await owned_by(call.db, application_id, call.tenants)
        if organization_id is None:
            raise NotFoundError
        call.authorize(organization_id)
        call.require_unbound()
        usage = await GrantRepository(call.db).usage(application_id, call.now)
        return pb.GetApplicationUsageResponse(
            usage=pb.ApplicationUsage(
                people=usage.people,
                organizations=usage.organizations,
                grants=usage.grants,
                new_grants=usage.new_grants,
                used_grants=usage.used_grants,
                last_used_at=timestamp(usage.last_used_at),
            )
        )

    async def _shown(self, rows: Sequence[StoredGrant]) -> list[pb.Grant]:
        """The messages for rows."""
        shown = []
        for row in rows:
            client = await self.applications.find_by_id(row.application_id)
            organization = (
                await self.tenants.find(row.organization_id) if row.organization_id else None
            )
            shown.append(messages.grant(row, client, organization.name if organization else ""))
        return shown
