"""Which projects an API key is bound to, and what a bound one can do.

A bound key sees its projects and no others. It can have only scopes whose methods keep
to that, so it makes no keys, webhooks or invitations: nothing that could do more than
it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.errors import FieldViolation, InvalidRequestError
from portico_kit.ids import parse_id
from server.features.keys.errors import ScopeNotBindableError
from server.features.keys.models import ApiKey
from server.features.keys.ports import Projects


@dataclass(frozen=True, slots=True)
class Bindings:
    """Binds API keys to projects.

    Attributes:
        permissions: what a bound key can hold.
    """

    projects: Projects
    permissions: frozenset[str]

    async def bind(self, key: ApiKey, project_ids: Sequence[str], db: AsyncSession) -> None:
        """Binds a key to projects of its organization, in the place of its previous ones.

        Raises:
            InvalidRequestError: naming each that is none by its place in the list.
        """
        wanted = [parse_id(project_id) for project_id in project_ids]
        existing = await self.projects.existing(db, key.organization_id, wanted)
        violations = tuple(_unknown(wanted, existing))
        if violations:
            raise InvalidRequestError(violations=violations)
        key.project_ids = sorted(existing)

    def require_bindable(self, key: ApiKey) -> None:
        """Refuses a bound key with a scope that reaches beyond projects.

        Raises:
            ScopeNotBindableError: naming the scopes.
        """
        if key.project_ids is None:
            return
        beyond = frozenset(key.scopes) - self.permissions
        if beyond:
            raise ScopeNotBindableError(scopes=" ".join(sorted(beyond)))


def _unknown(wanted: Sequence[UUID], existing: frozenset[UUID]) -> Iterable[FieldViolation]:
    for place, project_id in enumerate(wanted):
        if project_id not in existing:
            yield FieldViolation(
                f"project_ids[{place}]", "PROJECT_UNKNOWN", "is not a project of the organization"
            )
