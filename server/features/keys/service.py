"""API keys: the verbs. Each looks, decides and answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from portico.keys.v1 import api_key_service_pb2 as pb
from portico.keys.v1.api_key_pb2 import ApiKey as ApiKeyMessage

from portico_contract import organization_permissions
from portico_kit.call import Call
from portico_kit.changes import changed_fields
from portico_kit.clock import moment, requested_moment
from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.ids import parse_id
from portico_kit.networks import normal_cidrs
from portico_kit.paging import Cursors
from portico_kit.tokens import api_key_prefix, new_api_key
from server.features.keys import messages
from server.features.keys.binding import Bindings
from server.features.keys.errors import (
    ApiKeyInvalidError,
    ApiKeyNotFoundError,
    ScopeNotGrantableError,
    ScopeUnknownError,
)
from server.features.keys.imported.importer import Imports
from server.features.keys.key_verifier import KeyVerifier
from server.features.keys.models import ApiKey
from server.features.keys.repository import ApiKeyRepository, ImportedSecretRepository, Uses
from server.features.organizations.pending_invitations import PendingInvitations


@dataclass(frozen=True, slots=True)
class ApiKeyService:
    """Serves portico.keys.v1.ApiKeyService.

    Attributes:
        environment: "live" or "test"; stands in every new key.
    """

    verification: KeyVerifier
    imports: Imports
    cursors: Cursors
    invalidator: CacheInvalidator
    pending_invitations: PendingInvitations
    bindings: Bindings
    environment: str

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, call: Call
    ) -> pb.CreateApiKeyResponse:
        organization_id = parse_id(request.organization_id)
        _require_grantable(request.scopes, organization_id, call)
        secret = new_api_key(self.environment)
        key = messages.new_key(
            request,
            organization_id=organization_id,
            created_by=call.principal.person_id,
            prefix=api_key_prefix(secret),
            secret_hash=self.verification.hash(secret),
        )
        if request.project_ids:
            await self.bindings.bind(key, request.project_ids, call.db)
        self.bindings.require_bindable(key)
        ApiKeyRepository(call.db).add(key)
        await call.db.flush()
        shown = messages.api_key(key, call.now)
        call.record("key.created", organization_id=organization_id, target_id=key.id, data=shown)
        call.location(f"/api/v1/api-keys/{key.id}")
        return pb.CreateApiKeyResponse(api_key=shown, secret=secret)

    async def ImportApiKeys(
        self, request: pb.ImportApiKeysRequest, call: Call
    ) -> pb.ImportApiKeysResponse:
        _require_known(scope for key in request.keys for scope in key.scopes)
        keys = await self.imports.add(request, call)
        shown = [messages.api_key(key, call.now) for key in keys]
        for key, message in zip(keys, shown, strict=True):
            call.record(
                "key.imported",
                organization_id=key.organization_id,
                target_id=key.id,
                data=message,
            )
        call.location(f"/api/v1/organizations/{request.organization_id}/api-keys")
        return pb.ImportApiKeysResponse(api_keys=shown)

    async def ListApiKeys(
        self, request: pb.ListApiKeysRequest, call: Call
    ) -> pb.ListApiKeysResponse:
        paging = self.cursors.paging(request)
        organization_id = parse_id(request.organization_id)
        created_by = parse_id(request.created_by) if request.HasField("created_by") else None
        page = await ApiKeyRepository(call.db).list(
            organization_id, paging, self.cursors, created_by=created_by
        )
        return pb.ListApiKeysResponse(
            api_keys=[messages.api_key(key, call.now) for key in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def GetApiKey(self, request: pb.GetApiKeyRequest, call: Call) -> pb.GetApiKeyResponse:
        key = await _find(request.api_key_id, call)
        call.etag(key.version)
        return pb.GetApiKeyResponse(api_key=messages.api_key(key, call.now))

    async def UpdateApiKey(
        self, request: pb.UpdateApiKeyRequest, call: Call
    ) -> pb.UpdateApiKeyResponse:
        key = await _find_to_change(request.api_key_id, call)
        call.require_held(key.organization_id, key.scopes)
        key.require_not_revoked()
        if "scopes" in changed_fields(request):
            _require_grantable(request.scopes, key.organization_id, call)
        _apply(request, key)
        if "project_ids" in changed_fields(request):
            await self.bindings.bind(key, request.project_ids, call.db)
        self.bindings.require_bindable(key)
        await self.pending_invitations.revoke_of_api_key(
            key.organization_id, key.id, call, held=frozenset(key.scopes)
        )
        return pb.UpdateApiKeyResponse(api_key=await self._changed("key.updated", key, call))

    async def RevokeApiKey(
        self, request: pb.RevokeApiKeyRequest, call: Call
    ) -> pb.RevokeApiKeyResponse:
        key = await _find_to_change(request.api_key_id, call)
        key.revoke(call.now)
        await self.pending_invitations.revoke_of_api_key(key.organization_id, key.id, call)
        await ImportedSecretRepository(call.db).forget(key.id)
        return pb.RevokeApiKeyResponse(api_key=await self._changed("key.revoked", key, call))

    async def RotateApiKey(
        self, request: pb.RotateApiKeyRequest, call: Call
    ) -> pb.RotateApiKeyResponse:
        key = await _find_to_change(request.api_key_id, call)
        call.require_held(key.organization_id, key.scopes)
        secret = new_api_key(self.environment)
        overlap = timedelta(seconds=request.overlap_seconds)
        # Only the secret from before this rotation goes on, and only if it may.
        if key.rotated_at is not None or not overlap:
            await ImportedSecretRepository(call.db).forget(key.id)
        key.rotate(self.verification.hash(secret), api_key_prefix(secret), overlap, call.now)
        shown = await self._changed("key.rotated", key, call)
        return pb.RotateApiKeyResponse(api_key=shown, secret=secret)

    async def VerifyApiKey(
        self, request: pb.VerifyApiKeyRequest, call: Call
    ) -> pb.VerifyApiKeyResponse:
        [verified] = await self.verification.verify([request.secret], call.now)
        if verified is None:
            raise ApiKeyInvalidError
        return verified

    async def BatchVerifyApiKeys(
        self, request: pb.BatchVerifyApiKeysRequest, call: Call
    ) -> pb.BatchVerifyApiKeysResponse:
        answers = await self.verification.verify(request.secrets, call.now)
        return pb.BatchVerifyApiKeysResponse(
            verifications=[messages.verification(answer) for answer in answers]
        )

    async def RecordApiKeyUses(
        self, request: pb.RecordApiKeyUsesRequest, call: Call
    ) -> pb.RecordApiKeyUsesResponse:
        await ApiKeyRepository(call.db).add_uses(
            [
                Uses(parse_id(uses.api_key_id), uses.count, moment(uses.last_used_at))
                for uses in request.uses
            ]
        )
        return pb.RecordApiKeyUsesResponse()

    async def _changed(self, action: str, key: ApiKey, call: Call) -> ApiKeyMessage:
        """Records a change, if it is one, and lets the edge know once it is committed."""
        await call.db.flush()
        await call.db.refresh(key)
        shown = messages.api_key(key, call.now)
        call.etag(key.version)
        if call.changed(key.version):
            call.record(action, organization_id=key.organization_id, target_id=key.id, data=shown)
            call.after_commit.append(lambda: self.invalidator.key_changed(key.id))
        return shown


async def _find(key_id: str, call: Call) -> ApiKey:
    """The key, if it exists for the caller and the caller may do this to it."""
    key = await ApiKeyRepository(call.db).find(parse_id(key_id), call.tenants)
    return _authorized(key, call)


async def _find_to_change(key_id: str, call: Call) -> ApiKey:
    """The same; locked, and as the caller expects it."""
    found = await ApiKeyRepository(call.db).find_to_change(parse_id(key_id), call.tenants)
    key = _authorized(found, call)
    call.expect(key.version)
    return key


def _authorized(key: ApiKey | None, call: Call) -> ApiKey:
    if key is None:
        raise ApiKeyNotFoundError
    call.authorize(key.organization_id)
    return key


def _require_grantable(scopes: Iterable[str], organization_id: UUID, call: Call) -> None:
    wanted = frozenset(scopes)
    _require_known(wanted)
    lacking = wanted - call.permissions(organization_id)
    if lacking:
        raise ScopeNotGrantableError(scopes=" ".join(sorted(lacking)))


def _require_known(scopes: Iterable[str]) -> None:
    unknown = frozenset(scopes) - organization_permissions()
    if unknown:
        raise ScopeUnknownError(scopes=" ".join(sorted(unknown)))


def _apply(request: pb.UpdateApiKeyRequest, key: ApiKey) -> None:
    changed = changed_fields(request)
    if "name" in changed:
        key.name = request.name
    if "scopes" in changed:
        key.scopes = sorted(request.scopes)
    if "expires_at" in changed:
        key.expires_at = requested_moment(request, "expires_at")
    if "allowed_cidrs" in changed:
        key.allowed_cidrs = normal_cidrs(request.allowed_cidrs)
    if "limits" in changed:
        messages.apply_limits(key, request.limits)
