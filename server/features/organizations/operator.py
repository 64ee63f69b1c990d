"""The operator's organization, whose webhooks receive the events that belong to no other."""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from portico_kit.storage.base import sessions
from server.features.organizations.facade import Tenants

REFRESH_SECONDS = 30.0

log = structlog.get_logger("operator_organization")


class OperatorOrganization:
    """Says whether the organization that a setting names is there.

    One that is not, or is deleted, stops nothing: such events are only in the audit log,
    and no row is kept for a receiver that cannot exist.
    """

    def __init__(self, engine: AsyncEngine, tenants: Tenants, organization_id: UUID | None) -> None:
        self._sessions = sessions(engine)
        self._tenants = tenants
        self._organization_id = organization_id
        self._found: bool | None = None

    @property
    def is_set(self) -> bool:
        """Whether the operator has named one."""
        return self._organization_id is not None

    def current(self) -> UUID | None:
        """The organization, if one is named and it was there when it was last looked."""
        return self._organization_id if self._found else None

    async def refresh(self) -> None:
        """Looks whether it is there, and logs what has changed."""
        if self._organization_id is None:
            return
        async with self._sessions() as db:
            found = await self._tenants.tier(db, self._organization_id) is not None
        if found != self._found:
            self._found = found
            note = log.info if found else log.warning
            note("found" if found else "not_found", organization_id=str(self._organization_id))

    async def keep_fresh(self) -> None:
        """Looks again every now and then, until it is cancelled."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
            except Exception:
                log.exception("refresh_failed")
