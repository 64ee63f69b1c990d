"""The API key as the contract shows it, and as it describes a new one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from portico.keys.v1 import api_key_pb2 as pb
from portico.keys.v1 import api_key_service_pb2 as service_pb
from portico.keys.v1.api_key_import_pb2 import ApiKeyImport

from portico_kit.clock import requested_moment, timestamp
from portico_kit.ids import new_id
from portico_kit.networks import normal_cidrs
from server.features.keys.errors import ApiKeyInvalidError
from server.features.keys.models import ApiKey
from server.features.keys.read_models import KeyView


def api_key(key: ApiKey | KeyView, now: datetime) -> pb.ApiKey:
    """The message for a row; `now` decides whether it has expired."""
    return pb.ApiKey(
        id=str(key.id),
        organization_id=str(key.organization_id),
        name=key.name,
        prefix=key.prefix,
        scopes=sorted(key.scopes),
        status=key.status(now),
        limits=limits(key),
        created_by=str(key.created_by or ""),
        created_at=timestamp(key.created_at),
        updated_at=timestamp(key.updated_at),
        expires_at=timestamp(key.expires_at),
        revoked_at=timestamp(key.revoked_at),
        rotated_at=timestamp(key.rotated_at),
        previous_secret_expires_at=timestamp(key.previous_secret_expires_at),
        allowed_cidrs=key.allowed_cidrs,
        last_used_at=timestamp(key.last_used_at),
        use_count=key.use_count,
        project_ids=[str(project_id) for project_id in key.project_ids or ()],
    )


def new_key(
    described: service_pb.CreateApiKeyRequest | ApiKeyImport,
    *,
    organization_id: UUID,
    created_by: UUID | None,
    prefix: str,
    secret_hash: bytes | None,
) -> ApiKey:
    """The row for a key that a request describes."""
    key = ApiKey(
        id=new_id(),
        organization_id=organization_id,
        created_by=created_by,
        name=described.name,
        prefix=prefix,
        secret_hash=secret_hash,
        scopes=sorted(described.scopes),
        allowed_cidrs=normal_cidrs(described.allowed_cidrs),
        expires_at=requested_moment(described, "expires_at"),
    )
    apply_limits(key, described.limits)
    return key


def verification(verified: service_pb.VerifyApiKeyResponse | None) -> service_pb.ApiKeyVerification:
    """One of many answers; a refusal does not say what was wrong."""
    if verified is None:
        return service_pb.ApiKeyVerification(refused=ApiKeyInvalidError.reason)
    return service_pb.ApiKeyVerification(verified=verified)


def limits(key: ApiKey | KeyView) -> pb.ApiKeyLimits:
    """The key's own limits; what is None stays unset."""
    return pb.ApiKeyLimits(
        per_minute=key.limit_per_minute,
        per_hour=key.limit_per_hour,
        per_day=key.limit_per_day,
        per_month=key.limit_per_month,
    )


def apply_limits(key: ApiKey, message: pb.ApiKeyLimits) -> None:
    """Replaces the key's limits by those of a request."""
    key.limit_per_minute = message.per_minute if message.HasField("per_minute") else None
    key.limit_per_hour = message.per_hour if message.HasField("per_hour") else None
    key.limit_per_day = message.per_day if message.HasField("per_day") else None
    key.limit_per_month = message.per_month if message.HasField("per_month") else None
