"""The questions that are asked about applications, one query each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from portico_kit.storage.reads import keyed_query
from server.features.applications.kinds import CREATED
from server.features.applications.models import Application, RegistrationPolicy
from server.features.applications.read_models import ClientView

NEWEST_FIRST = Order((Application.id,))
_THERE = Application.deleted_at.is_(None)


class ApplicationRepository:
    """Applications in the caller's transaction; deleted ones are not there."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, application: Application) -> None:
        """Adds a new application."""
        self._db.add(application)

    async def count(self, organization_id: UUID) -> int:
        """How many applications were created in an organization."""
        return await self._count(organization_id, Application.origin == CREATED)

    async def count_registered(self, organization_id: UUID) -> int:
        """How many applications came to an organization by themselves."""
        return await self._count(organization_id, Application.origin != CREATED)

    async def _count(self, organization_id: UUID, which: ColumnElement[bool]) -> int:
        query = select(func.count()).where(
            Application.organization_id == organization_id, which, _THERE
        )
        return await self._db.scalar(query) or 0

    async def list_registered(self, organization_id: UUID) -> Sequence[Application]:
        """The applications that came to an organization by themselves; locked."""
        query = select(Application).where(
            Application.organization_id == organization_id, Application.origin != CREATED, _THERE
        )
        return (await self._db.scalars(query.with_for_update(key_share=True))).all()

    async def find(
        self, application_id: UUID, organizations: Collection[UUID]
    ) -> Application | None:
        """The application, if one of the organizations owns it."""
        query = select(Application).where(
            Application.id == application_id, Application.organization_id.in_(organizations), _THERE
        )
        return await self._db.scalar(query)

    async def find_to_change(
        self, application_id: UUID, organizations: Collection[UUID]
    ) -> Application | None:
        """The same; locked: whoever else wants to change it waits for this transaction."""
        query = select(Application).where(
            Application.id == application_id, Application.organization_id.in_(organizations), _THERE
        )
        query = query.with_for_update(key_share=True)
        # Also if it was looked at before.
        return await self._db.scalar(query.execution_options(populate_existing=True))

    async def find_of_any(self, application_id: UUID) -> Application | None:
        """The application, whichever organization owns it; locked. Only for the platform."""
        query = select(Application).where(Application.id == application_id, _THERE)
        return await self._db.scalar(query.with_for_update(key_share=True))

    async def list_created_by(self, organization_id: UUID, user_id: UUID) -> Sequence[UUID]:
        """The ids of an organization's applications that a person created, newest first."""
        query = select(Application.id).where(
            Application.organization_id == organization_id,
            Application.created_by == user_id,
            _THERE,
        )
        return (await self._db.scalars(query.order_by(Application.id.desc()))).all()

    async def list(
        self,
        organization_id: UUID,
        paging: Paging,
        cursors: Cursors,
        *,
        created_by: UUID | None = None,
    ) -> Page[Application]:
        """A page of an organization's applications, newest first; all of them or a person's."""
        query = select(Application).where(Application.organization_id == organization_id, _THERE)
        if created_by is not None:
            query = query.where(Application.created_by == created_by)
        return await fetch_page(self._db, query, NEWEST_FIRST, paging, cursors)


class RegistrationPolicyRepository:
    """Registration policies in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, policy: RegistrationPolicy) -> None:
        """Adds a new policy."""
        self._db.add(policy)

    async def find(self, organization_id: UUID) -> RegistrationPolicy | None:
        """The policy of an organization; None if it never gave itself one."""
        return await self._db.get(RegistrationPolicy, organization_id)

    async def find_by_token(self, token_hash: bytes) -> RegistrationPolicy | None:
        """The policy of the organization that gave an initial access token."""
        query = select(RegistrationPolicy).where(
            RegistrationPolicy.initial_access_token_hash == token_hash
        )
        return await self._db.scalar(query)


def _columns() -> list[InstrumentedAttribute[Any]]:
    """The columns of the view, in the order of its fields."""
    return [getattr(Application, field.name) for field in fields(ClientView)]


# Asked outside of any organization: by its id alone a client says which one it belongs to.
CLIENTS = keyed_query(
    select(*_columns()).where(_THERE, Application.disabled_at.is_(None)), Application.id
)

# What is said of a document's application, whether or not it may be used.
DOCUMENT_STATES = keyed_query(
    select(Application.id, Application.disabled_at, Application.deleted_at), Application.id
)
POLICIES = keyed_query(
    select(
        RegistrationPolicy.organization_id,
        RegistrationPolicy.kinds,
        RegistrationPolicy.redirect_hosts,
        RegistrationPolicy.scopes,
        RegistrationPolicy.max_applications,
        RegistrationPolicy.documents,
        RegistrationPolicy.document_hosts,
    ),
    RegistrationPolicy.organization_id,
)
