"""Applications for other features: which client it is, and whether it is the one it claims."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.batching import BatchLoader
from portico_kit.call import Call
from portico_kit.storage.reads import Reads
from server.features.applications.assertions import ClientAssertions, claimed_client_id
from server.features.applications.authentication import (
    ClientAuthentication as ClientAuthentication,
)
from server.features.applications.authentication import ClientSecrets
from server.features.applications.certificates import ClientCertificateKeys
from server.features.applications.client_cache import ClientCache
from server.features.applications.documents import (
    ClientDocuments,
    document_id,
    is_document,
)
from server.features.applications.documents import DocumentRefusedError as DocumentRefusedError
from server.features.applications.errors import InvalidClientError as InvalidClientError
from server.features.applications.failures import ClientFailures
from server.features.applications.jwks import ASSERTION_ALGORITHMS as ASSERTION_ALGORITHMS
from server.features.applications.kinds import CREATED as CREATED
from server.features.applications.kinds import DOCUMENT as DOCUMENT
from server.features.applications.kinds import KEY_METHODS as KEY_METHODS
from server.features.applications.kinds import NO_AUTHENTICATION as NO_AUTHENTICATION
from server.features.applications.kinds import (
    PRIVATE_KEY_JWT,
    SECRET_METHODS,
    SELF_SIGNED_TLS,
    UNUSED_DAYS,
)
from server.features.applications.kinds import TOKEN_EXCHANGE as TOKEN_EXCHANGE
from server.features.applications.models import Application, RegistrationPolicy
from server.features.applications.read_models import Client as Client
from server.features.applications.read_models import ClientView
from server.features.applications.repository import CLIENTS, ApplicationRepository
from server.features.applications.request_objects import RequestObjects
from server.features.organizations.facade import Tenants

ID_LENGTH = 36  # characters
# Of an application that came by itself: its document may come again afterwards.
DELETED_KEPT = timedelta(days=1)
APPLICATION_ID = Application.id


def application_exists(application_id: SQLColumnExpression[UUID]) -> ColumnElement[bool]:
    """The condition that a row's application is not deleted, for another feature's query."""
    return exists().where(Application.id == application_id, Application.deleted_at.is_(None))


def is_unused_registration(
    used: ColumnElement[bool], now: ColumnElement[datetime]
) -> ColumnElement[bool]:
    """The condition that an application came by itself, and that nobody uses it.

    Args:
        used: that somebody lets it do something.
    """
    days = (
        select(func.coalesce(func.max(RegistrationPolicy.unused_days), UNUSED_DAYS))
        .where(RegistrationPolicy.organization_id == Application.organization_id)
        .scalar_subquery()
    )
    old = Application.created_at <= now - days * literal(timedelta(days=1))
    deleted = Application.deleted_at <= now - literal(DELETED_KEPT)
    return and_(Application.origin != CREATED, or_(and_(old, ~used), deleted))


async def find_clients(reads: Reads, ids: Collection[UUID]) -> Mapping[str, Client]:
    """The applications that may be used now, for a worker, by `client_id`.

    What depends on their organizations, a name and a tier, is not asked for.
    """
    rows = [ClientView(*row) for row in await reads.fetch(CLIENTS, list(ids))]
    return {str(row.id): Client.of(row, "", "") for row in rows}


class Applications:
    """Finds and authenticates clients. All who ask at the same moment share a query."""

    def __init__(
        self,
        reads: Reads,
        tenants: Tenants,
        cache: ClientCache,
        secrets: ClientSecrets,
        assertions: ClientAssertions,
        request_objects: RequestObjects,
        certificates: ClientCertificateKeys,
        failures: ClientFailures,
        documents: ClientDocuments,
    ) -> None:
        self._reads = reads
        self._tenants = tenants
        self._cache = cache
        self._secrets = secrets
        self._assertions = assertions
        self._request_objects = request_objects
        self._certificates = certificates
        self._failures = failures
        self._documents = documents
        self._by_id: BatchLoader[UUID, ClientView] = BatchLoader(self._fetch_rows)

    async def find(self, client_id: str) -> Client | None:
        """The client of that name; None if there is none that may be used now.

        One with a document is as it was when somebody agreed to it last: nothing is fetched.
        """
        if is_document(client_id):
            application_id: UUID | None = document_id(client_id)
        else:
            application_id = application_id_of(client_id)
        client = await self.find_by_id(application_id) if application_id else None
        return client if client and client.client_id == client_id else None

    async def find_by_id(self, application_id: UUID) -> Client | None:
        """The client that an application is; None if it may not be used now."""
        return await self._cache.get(application_id, self._fetch)

    async def find_to_ask(self, client_id: str, address: str) -> Client | None:
        """The same as `find`, for a person who shall be asked: as its document says now.

        Args:
            address: of the browser, which has us fetch the document.

        Raises:
            RateLimitExceededError: if too many were fetched for it.
            DocumentRefusedError: if the document cannot be had, or used.
        """
        if is_document(client_id):
            return await self._documents.find(client_id, address)
        return await self.find(client_id)

    async def keep(self, client: Client, call: Call) -> None:
        """Writes down what somebody agrees to, of a client that has a document.

        Raises:
            DomainError: if it may not be used by now, or there are too many.
        """
        if client.origin == DOCUMENT:
            await self._documents.keep(client, call)

    async def authenticate(self, request: ClientAuthentication) -> Client:
        """The client that proves who it is, in the one way that it is registered for.

        Raises:
            InvalidClientError: if it does not, whatever is wrong; metadata may have an
                `error_description`.
            TooManyClientFailuresError: if that has happened too often in its name.
            UnavailableError: if nobody can say whether an assertion was used before.
        """
        client_id = request.client_id
        if not client_id and request.method == PRIVATE_KEY_JWT:
            client_id = claimed_client_id(request.assertion)
        try:
            return await self._authenticated(client_id, request)
        except InvalidClientError as error:
            await self._failures.failed(client_id, error)

    async def request_object(
        self, client: Client, text: str, issuer: str, *, once: bool
    ) -> Mapping[str, Any]:
        """The claims of a request object that a client has signed for us (RFC 9101).

        Args:
            once: whether one that has a `jti` is good a single time.

        Raises:
            InvalidClientError: if it has not; metadata may have an `error_description`.
            UnavailableError: if nobody can say whether it came before.
        """
        return await self._request_objects.check(client, text, issuer, once=once)

    async def _authenticated(self, client_id: str, request: ClientAuthentication) -> Client:
        client = await self._find_to_authenticate(client_id)
        if request.presents_nothing:
            if client is not None and client.token_endpoint_auth_method == SELF_SIGNED_TLS:
                return await self._certificates.check(client, request.certificate)
            if client is None or client.token_endpoint_auth_method != NO_AUTHENTICATION:
                raise InvalidClientError
            return client
        if request.method in SECRET_METHODS:
            return self._secrets.check(client, request)
        return await self._assertions.check(client, request)

    async def _find_to_authenticate(self, client_id: str) -> Client | None:
        """The client as its document says now, or said last if that cannot be had just now."""
        if not is_document(client_id):
            return await self.find(client_id)
        try:
            return await self._documents.find(client_id)
        except DocumentRefusedError as error:
            known = await self.find(client_id) if error.may_pass else None
            if known is None:
                raise InvalidClientError(error_description=error.description) from None
            return known

    async def _fetch(self, application_id: UUID) -> Client | None:
        row = await self._by_id.load(application_id)
        organization = await self._tenants.find(row.organization_id) if row else None
        if row is None or organization is None:
            return None
        return Client.of(row, organization.name, organization.tier)

    async def _fetch_rows(self, ids: Sequence[UUID]) -> Mapping[UUID, ClientView]:
        return {row.id: ClientView(*row) for row in await self._reads.fetch(CLIENTS, ids)}


async def owned_by(
    db: AsyncSession, application_id: UUID, organizations: Collection[UUID]
) -> UUID | None:
    """Which of the organizations owns an application, also one that is disabled; None if none."""
    found = await ApplicationRepository(db).find(application_id, organizations)
    return found.organization_id if found else None


class CreatedApplications:
    """Says which applications somebody created, in the caller's transaction."""

    async def created_by(
        self, db: AsyncSession, organization_id: UUID, user_id: UUID
    ) -> Sequence[UUID]:
        """The applications of an organization that a person created, the newest first."""
        return await ApplicationRepository(db).list_created_by(organization_id, user_id)


def application_id_of(client_id: str) -> UUID | None:
    """The id that a client is named by; in the one form that ids are given out in."""
    if len(client_id) != ID_LENGTH:
        return None
    try:
        found = UUID(client_id)
    except ValueError:
        return None
    return found if str(found) == client_id else None
