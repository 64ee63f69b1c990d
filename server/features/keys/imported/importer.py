"""Imports keys that another system made: their rows, and the hashes of their secrets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from portico.keys.v1 import api_key_service_pb2 as pb
from portico.keys.v1.api_key_import_pb2 import ApiKeyImport

from portico_kit.call import Call
from portico_kit.errors import FieldViolation, InvalidRequestError, NotFoundError, invalid
from portico_kit.ids import parse_id
from portico_kit.secrets import Secrets
from portico_kit.tokens import OURS
from server.features.emails.facade import Mailer
from server.features.keys import messages
from server.features.keys.errors import KeyImportNotAllowedError, PrefixTakenError
from server.features.keys.imported.adoption import PURPOSE
from server.features.keys.imported.hashes import HMAC_SHA256, ImportedHash, imported_hash
from server.features.keys.imported.prefixes import ImportedPrefixesProjection
from server.features.keys.mails import KEYS_IMPORTED
from server.features.keys.models import ApiKey, ImportedSecret
from server.features.keys.repository import ApiKeyRepository, ImportedSecretRepository
from server.features.organizations.facade import Tenants
from server.features.organizations.owners import owner_contacts


@dataclass(frozen=True, slots=True)
class Imports:
    """Adds keys whose secrets are not known here; first_uses.py gets to know them."""

    secrets: Secrets
    tenants: Tenants
    projection: ImportedPrefixesProjection
    mailer: Mailer

    async def add(self, request: pb.ImportApiKeysRequest, call: Call) -> list[ApiKey]:
        """Adds all keys of a request, or none.

        Raises:
            InvalidRequestError: if keys of the request do not agree with each other.
            NotFoundError: if there is no such organization.
            KeyImportNotAllowedError: if no owner of it has allowed this.
            PrefixTakenError: naming each prefix that another key stands against.
        """
        _require_sense(request)
        organization_id = parse_id(request.organization_id)
        organization_name = await self._require_allowed(organization_id, call)
        prefixes = [key.prefix for key in request.keys]
        await _require_free(prefixes, call)
        keys = [
            messages.new_key(
                key,
                organization_id=organization_id,
                created_by=call.user_id,
                prefix=key.prefix,
                secret_hash=None,
            )
            for key in request.keys
        ]
        await self._store(keys, request, call)
        await self._inform_owners(organization_id, organization_name, len(keys), call)
        call.after_commit.append(lambda: self.projection.add(prefixes))
        return keys

    async def _require_allowed(self, organization_id: UUID, call: Call) -> str:
        """The organization's name.

        That it exists is no secret from administrators of the platform, who see the limits
        of each; so it is refused by name, and not as if it were not there.
        """
        found = await self.tenants.key_import(call.db, organization_id)
        if found is None:
            raise NotFoundError
        if not found.allowed:
            raise KeyImportNotAllowedError
        return found.organization_name

    async def _inform_owners(
        self, organization_id: UUID, organization_name: str, count: int, call: Call
    ) -> None:
        for owner in await owner_contacts(call.db, organization_id):
            self.mailer.send(
                call,
                owner.email,
                KEYS_IMPORTED,
                display_name=owner.display_name,
                organization_name=organization_name,
                key_count=str(count),
            )

    async def _store(
        self, keys: Sequence[ApiKey], request: pb.ImportApiKeysRequest, call: Call
    ) -> None:
        for key in keys:
            ApiKeyRepository(call.db).add(key)
        await call.db.flush()
        for key, described in zip(keys, request.keys, strict=True):
            secret = self._imported(key, imported_hash(described, request.hmac_key))
            ImportedSecretRepository(call.db).add(secret)
        await call.db.flush()

    def _imported(self, key: ApiKey, known: ImportedHash) -> ImportedSecret:
        return ImportedSecret(
            api_key_id=key.id,
            prefix=key.prefix,
            algorithm=known.algorithm,
            sealed_hash=self.secrets.seal(PURPOSE, known.material),
        )


def _require_sense(request: pb.ImportApiKeysRequest) -> None:
    """Refuses what no rule beside a single field can say.

    Raises:
        InvalidRequestError: naming the fields that are to blame.
    """
    violations = (*_odd_prefixes(request.keys), *_repeated_hashes(request.keys))
    if violations:
        raise InvalidRequestError(violations=violations)
    keyed = any(key.WhichOneof("hash") == HMAC_SHA256 for key in request.keys)
    if keyed and not request.hmac_key:
        raise invalid("hmac_key", "HMAC_KEY_REQUIRED", "is required for HMAC hashes")


def _odd_prefixes(keys: Sequence[ApiKeyImport]) -> Iterator[FieldViolation]:
    """Each prefix that is kept for our own keys, or stands against one before it."""
    for place, key in enumerate(keys):
        field = f"keys[{place}].prefix"
        if key.prefix.startswith(OURS):
            yield FieldViolation(field, "PREFIX_RESERVED", f'must not start with "{OURS}"')
        elif any(_overlap(key.prefix, earlier.prefix) for earlier in keys[:place]):
            yield FieldViolation(field, "PREFIX_REPEATED", "overlaps another prefix of the request")


def _repeated_hashes(keys: Sequence[ApiKeyImport]) -> Iterator[FieldViolation]:
    """Each hash that stands at a key before it: one of the two is not right."""
    seen: set[bytes | str] = set()
    for place, key in enumerate(keys):
        kind = key.WhichOneof("hash") or ""
        found = getattr(key, kind)
        if found in seen:
            yield FieldViolation(
                f"keys[{place}].{kind}", "HASH_REPEATED", "is the hash of another key, too"
            )
        seen.add(found)


async def _require_free(prefixes: Sequence[str], call: Call) -> None:
    repository = ImportedSecretRepository(call.db)
    await repository.lock()
    taken = await repository.overlapping(prefixes)
    violations = tuple(
        FieldViolation(f"keys[{place}].prefix", "PREFIX_TAKEN", "overlaps an imported prefix")
        for place, prefix in enumerate(prefixes)
        if any(_overlap(prefix, other) for other in taken)
    )
    if violations:
        raise PrefixTakenError(violations=violations)


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
