"""The result of looking an API key up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from portico.keys.v1.api_key_pb2 import ApiKeyLimits
from portico.keys.v1.api_key_service_pb2 import VerifyApiKeyResponse

from portico_kit.clock import moment


@dataclass(frozen=True, slots=True, weakref_slot=True)
class VerifiedKey:
    """An API key as the core has verified it.

    Attributes:
        key_id: the id of the key.
        organization_id: the organization that owns it.
        tier: of the organization.
        scopes: the permissions of the key.
        limits: the key's own limits for the rate limit service, or "".
        allowed_cidrs: the networks that it may be used from; empty for all.
        access_token: the internal token that stands for the key.
        expires_at: until when this is valid, unless a change is published before.
    """

    key_id: str
    organization_id: str
    tier: str
    scopes: frozenset[str]
    limits: str
    allowed_cidrs: tuple[str, ...]
    access_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """The key is not valid; the caller does not learn why."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The key cannot be verified at this moment."""


Outcome = VerifiedKey | Refused | Unavailable


def verified_key(response: VerifyApiKeyResponse) -> VerifiedKey:
    """Reads the core's answer."""
    key = response.api_key
    return VerifiedKey(
        key_id=key.id,
        organization_id=key.organization_id,
        tier=response.tier,
        scopes=frozenset(key.scopes),
        limits=_limits(key.limits),
        allowed_cidrs=tuple(key.allowed_cidrs),
        access_token=response.access_token,
        expires_at=moment(response.expires_at),
    )


def _limits(limits: ApiKeyLimits) -> str:
    """The limits that are set, as "minute=60,day=1000"."""
    return ",".join(
        f"{field.name.removeprefix('per_')}={value}" for field, value in limits.ListFields()
    )
