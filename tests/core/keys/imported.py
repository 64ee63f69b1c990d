"""Secrets that another system made, and how its administrator brings them here."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import bcrypt
from portico.keys.v1 import api_key_service_pb2 as pb
from portico.keys.v1.api_key_import_pb2 import ApiKeyImport
from portico.organizations.v1.organization_service_pb2 import UpdateOrganizationRequest

from tests.core.world import Person, World

HMAC_KEY = b"the other system's own key"
ALGORITHMS = ("hmac_sha256", "sha256", "bcrypt")
# bcrypt's cost: the least, for what is measured is not how long it takes.
QUICK = 4


def foreign_secret(length: int = 40) -> str:
    """A secret as other systems make them, with a prefix that nobody else has."""
    return ("acme_" + (uuid4().hex * (length // 32 + 1)))[:length]


def prefix_of(secret: str) -> str:
    """What the other system shows of it."""
    return secret[:16]


def hashed(secret: str, algorithm: str, cost: int = QUICK) -> dict[str, Any]:
    """What the other system kept of a secret, as a field of the import."""
    plain = secret.encode()
    match algorithm:
        case "sha256":
            return {"sha256": hashlib.sha256(plain).digest()}
        case "hmac_sha256":
            return {"hmac_sha256": hmac.digest(HMAC_KEY, plain, "sha256")}
        case _:
            return {"bcrypt": bcrypt.hashpw(plain[:72], bcrypt.gensalt(cost)).decode()}


def described(
    secret: str, algorithm: str = "sha256", *, cost: int = QUICK, **fields: Any
) -> ApiKeyImport:
    """A key to import that may read its organization, unless something else is said."""
    known = {"name": "from elsewhere", "prefix": prefix_of(secret), "scopes": ["organization:read"]}
    return ApiKeyImport(**{**known, **hashed(secret, algorithm, cost), **fields})


async def allow_import(
    world: World, person: Person, organization_id: str, *, allowed: bool = True
) -> None:
    """Somebody says whether administrators of the platform may import keys."""
    request = UpdateOrganizationRequest(organization_id=organization_id, allow_key_import=allowed)
    await world.organizations.UpdateOrganization(request, metadata=person.metadata)


@dataclass(frozen=True)
class ImportClient:
    """An administrator of the platform who moves an organization's keys here."""

    world: World
    organization_id: str
    administrator: Person

    async def bring(self, *keys: ApiKeyImport, **fields: Any) -> pb.ImportApiKeysResponse:
        """Imports keys; the key of the HMACs comes along."""
        request = pb.ImportApiKeysRequest(
            **{
                "organization_id": self.organization_id,
                "keys": keys,
                "hmac_key": HMAC_KEY,
                **fields,
            }
        )
        return await self.world.keys.ImportApiKeys(request, metadata=self.administrator.metadata)

    async def bring_one(self, secret: str, algorithm: str = "sha256", **fields: Any) -> str:
        """Imports the key of a secret, and gives its id."""
        answer = await self.bring(described(secret, algorithm, **fields))
        return answer.api_keys[0].id
