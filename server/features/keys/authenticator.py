"""API keys: what a key may do, asked at every call, in one query for all who ask at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from portico_kit.batching import BatchLoader
from portico_kit.clock import Clock
from portico_kit.credentials import Grant, Principal
from portico_kit.jwt import INTERNAL_AUDIENCE, Claims, TokenKind
from portico_kit.storage.reads import Reads
from server.features.keys.read_models import KeyGrantView
from server.features.keys.repository import GRANTS

KEY = TokenKind("key", INTERNAL_AUDIENCE)


class KeyAuthenticator:
    """Lets in whoever has the secret of a key, with the key's scopes in its organization."""

    kind = KEY

    def __init__(self, reads: Reads, clock: Clock, project_permissions: frozenset[str]) -> None:
        """Takes what a key can hold that is bound to projects, besides what is needed to look."""
        self._project_permissions = project_permissions
        self._reads = reads
        self._clock = clock
        self._keys: BatchLoader[UUID, KeyGrantView] = BatchLoader(self._fetch)

    def principal(self, claims: Claims) -> Principal:
        """The key, which acts for no person."""
        return Principal(KEY.name, claims.subject, None, claims.organization_id)

    async def grant(
        self, claims: Claims, principal: Principal, *, with_permissions: bool
    ) -> Grant | None:
        """What the key may do; None if its secret is not good or its organization is gone."""
        key = await self._keys.load(claims.subject)
        # The edge may not have heard yet that the secret was replaced.
        if key is None or claims.secret_id not in key.secret_ids(self._clock()):
            return None
        scopes, bound_to = frozenset(key.scopes), key.project_ids
        if bound_to is not None:
            scopes &= self._project_permissions
        return Grant(
            principal,
            {key.organization_id: scopes},
            networks=tuple(key.allowed_cidrs),
            project_ids=None if bound_to is None else frozenset(bound_to),
        )

    async def _fetch(self, key_ids: Sequence[UUID]) -> Mapping[UUID, KeyGrantView]:
        rows = await self._reads.fetch(GRANTS, key_ids)
        return {row.id: KeyGrantView(*row) for row in rows}
