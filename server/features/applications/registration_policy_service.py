"""Registration policies: which applications may come to an organization by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from portico.applications.v1 import registration_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.errors import NotFoundError
from portico_kit.ids import parse_id
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.features.applications import messages
from server.features.applications.kinds import (
    MAX_REGISTERED,
    OFF,
    REGISTRABLE_KINDS,
    REGISTRABLE_SCOPES,
    UNUSED_DAYS,
)
from server.features.applications.models import Application, RegistrationPolicy
from server.features.applications.repository import (
    ApplicationRepository,
    RegistrationPolicyRepository,
)
from server.features.applications.rules import require_grantable
from server.features.organizations.facade import Tenants

INITIAL_TOKEN_PURPOSE = "initial-access-token"  # noqa: S105 - the name of a purpose
UPDATED = "application.registration_policy_updated"


@dataclass(frozen=True, slots=True)
class RegistrationPolicyService:
    """Serves portico.applications.v1.RegistrationPolicyService."""

    secrets: Secrets
    tenants: Tenants
    invalidator: CacheInvalidator

    async def GetRegistrationPolicy(
        self, request: pb.GetRegistrationPolicyRequest, call: Call
    ) -> pb.GetRegistrationPolicyResponse:
        organization_id = parse_id(request.organization_id)
        found = await RegistrationPolicyRepository(call.db).find(organization_id)
        policy = found or RegistrationPolicy.closed(organization_id)
        return pb.GetRegistrationPolicyResponse(policy=messages.policy(policy))

    async def UpdateRegistrationPolicy(
        self, request: pb.UpdateRegistrationPolicyRequest, call: Call
    ) -> pb.UpdateRegistrationPolicyResponse:
        scopes = sorted(request.scopes or REGISTRABLE_SCOPES)
        require_grantable(scopes, parse_id(request.organization_id), call)
        policy = await self._find_to_change(parse_id(request.organization_id), call)
        policy.registration = request.registration
        policy.kinds = sorted(request.kinds or REGISTRABLE_KINDS)
        policy.redirect_hosts = sorted(request.redirect_hosts)
        policy.scopes = scopes
        policy.max_applications = request.max_applications or MAX_REGISTERED
        policy.unused_days = request.unused_days or UNUSED_DAYS
        policy.documents = request.documents or OFF
        policy.document_hosts = sorted(request.document_hosts)
        if policy.registration == OFF:
            policy.initial_access_token_hash = policy.initial_access_token_created_at = None
        await self._narrow(policy, call)
        return pb.UpdateRegistrationPolicyResponse(policy=await self._changed(policy, call))

    async def RotateInitialAccessToken(
        self, request: pb.RotateInitialAccessTokenRequest, call: Call
    ) -> pb.RotateInitialAccessTokenResponse:
        policy = await self._find_to_change(parse_id(request.organization_id), call)
        require_grantable(policy.scopes, policy.organization_id, call)
        token = new_token()
        policy.initial_access_token_hash = self.secrets.mac(INITIAL_TOKEN_PURPOSE, token)
        policy.initial_access_token_created_at = call.now
        shown = await self._changed(policy, call)
        return pb.RotateInitialAccessTokenResponse(policy=shown, initial_access_token=token)

    async def _find_to_change(self, organization_id: UUID, call: Call) -> RegistrationPolicy:
        """The policy; whoever else changes it, or registers under it, waits."""
        if not await self.tenants.lock(call.db, organization_id):
            raise NotFoundError
        repository = RegistrationPolicyRepository(call.db)
        policy = await repository.find(organization_id)
        if policy is None:
            policy = RegistrationPolicy.closed(organization_id)
            repository.add(policy)
        return policy

    async def _narrow(self, policy: RegistrationPolicy, call: Call) -> None:
        """Takes from those who came before what the policy has no more."""
        rows = await ApplicationRepository(call.db).list_registered(policy.organization_id)
        for row in _beyond(rows, policy):
            kept = sorted(set(row.scopes) & set(policy.scopes))
            if kept:
                row.scopes = kept
            else:
                row.set_enabled(False, call.now)
            self._invalidate(row.id, call)

    async def _changed(self, policy: RegistrationPolicy, call: Call) -> pb.RegistrationPolicy:
        await call.db.flush()
        shown = messages.policy(policy)
        call.record(
            UPDATED,
            organization_id=policy.organization_id,
            target_id=policy.organization_id,
            data=shown,
        )
        return shown

    def _invalidate(self, application_id: UUID, call: Call) -> None:
        call.after_commit.append(lambda: self.invalidator.application_changed(application_id))


def _beyond(rows: Sequence[Application], policy: RegistrationPolicy) -> Sequence[Application]:
    return [row for row in rows if not set(row.scopes) <= set(policy.scopes)]
