"""Registrations at providers: taken back if no connection rests on them, renewed if they expire.

Providers are asked between two short transactions, in none: a slow one holds no connection of the
database. What is claimed is due again later, so that a worker that dies leaves it to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.clock import Clock
from portico_kit.secrets import Secrets
from portico_kit.storage.base import Sessions
from server.common.outbound_addresses import AddressPolicy
from server.common.records import record_by_worker
from server.features.connections.mails import REGISTRATION_EXPIRES
from server.features.connections.models import Connection, UnusedRegistration
from server.features.emails.facade import Mailer
from server.features.organizations.facade import is_alive
from server.features.organizations.owners import owner_contacts
from server.features.users.notices import readable

if TYPE_CHECKING:
    # A worker that has nothing to do here does not load the HTTP client.
    from server.features.connections.oidc.registration import Registered, Registrar

# After so many attempts it is left to the provider.
DELAYS = (
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
)
# How often a secret that cannot be renewed is tried again, and its owners get a mail.
RENEWAL_INTERVAL = timedelta(days=1)
# Sign-ins that were begun with a former client can end.
FORMER_KEPT = timedelta(minutes=15)

log = structlog.get_logger("connections")


@dataclass(frozen=True, slots=True)
class RegistrationUpkeep:
    """Looks after the registrations at providers."""

    sessions: Sessions
    secrets: Secrets
    mailer: Mailer
    clock: Clock
    policy: AddressPolicy
    public_url: str
    product_name: str

    async def __call__(self) -> None:
        """Does all that is due."""
        while await self._end_next():
            pass
        while await self._renew_next():
            pass

    async def _end_next(self) -> bool:
        """Takes one registration back. Whether there may be more."""
        async with self.sessions.begin() as db:
            found = await db.scalar(_next_unused(self.clock()))
            if found is None:
                return False
            is_last = found.attempts + 1 >= len(DELAYS)
            found.due_at = self.clock() + DELAYS[min(found.attempts, len(DELAYS) - 1)]
            found.attempts += 1
            note_id, uri, sealed = found.id, found.uri, found.sealed_token
        if await self._end(uri, sealed) or is_last:
            async with self.sessions.begin() as db:
                note = await db.get(UnusedRegistration, note_id)
                if note is not None:
                    await db.delete(note)
        return True

    async def _end(self, uri: str, sealed: bytes) -> bool:
        from server.features.connections.oidc.checks import ProviderFailedError
        from server.features.connections.oidc.http import ProviderClient
        from server.features.connections.oidc.registration import Registrar
        from server.features.connections.registrations import TOKEN_PURPOSE

        http = ProviderClient(self.policy)
        try:
            token = self.secrets.unseal(TOKEN_PURPOSE, sealed).decode()
            return await Registrar(http).end(uri, token)
        except ProviderFailedError as error:
            log.warning("registration_not_ended", reason=error.detail)
            return False
        finally:
            await http.close()

    async def _renew_next(self) -> bool:
        """Renews one secret. Whether there may be more."""
        now = self.clock()
        async with self.sessions.begin() as db:
            connection = await db.scalar(_next_expiring(now))
            if connection is None:
                return False
            # It is the same connection to whoever has its version.
            await db.execute(
                update(Connection)
                .where(Connection.id == connection.id)
                .values(renewal_due_at=now + RENEWAL_INTERVAL)
                .execution_options(synchronize_session=False)
            )
            db.expunge(connection)
        found = await self._renewed(connection)
        async with self.sessions.begin() as db:
            current = await db.get(Connection, connection.id, with_for_update=True)
            if current is not None and current.client_id == connection.client_id:
                await self._settle(db, current, found, now)
        return True

    async def _renewed(self, connection: Connection) -> Registered | None:
        """The registration with a secret that lasts longer; None if the provider gives none."""
        from server.features.connections.oidc.checks import CheckFailedError, ProviderFailedError
        from server.features.connections.oidc.http import ProviderClient
        from server.features.connections.oidc.registration import Registrar

        http = ProviderClient(self.policy)
        try:
            return await self._ask(connection, Registrar(http))
        except (ProviderFailedError, CheckFailedError) as error:
            log.warning("registration_not_renewed", connection=str(connection.id), error=str(error))
            return None
        finally:
            await http.close()

    async def _ask(self, connection: Connection, registrar: Registrar) -> Registered:
        """Asks for another secret, and registers us once more if there is none."""
        from server.features.connections.oidc.checks import Checks, ProviderFailedError
        from server.features.connections.oidc.discovery import Providers
        from server.features.connections.registrations import as_registered, registrant

        providers = Providers(registrar.http, self.clock)
        metadata = await providers.metadata(connection.issuer, Checks())
        ours = registrant(connection, self.secrets, self.public_url, self.product_name)
        before = as_registered(connection, self.secrets)
        if before.uri:
            try:
                found = await registrar.renew(ours, metadata, before)
                if _lasts_longer(found.expires_at, before.expires_at):
                    return found
            except ProviderFailedError as error:
                log.info("registration_not_changed", error=error.detail)
        if not metadata.registration_endpoint:
            raise ProviderFailedError("the provider registers nobody any more")
        return await registrar.register(ours, metadata, "")

    async def _settle(
        self, db: AsyncSession, connection: Connection, found: Registered | None, now: datetime
    ) -> None:
        """Stores the secret, or says that there is none."""
        from server.features.connections.registrations import store, unused

        if found is None:
            await self._complain(db, connection, now)
            return
        if found.client_id != connection.client_id:
            former = unused(connection, now + FORMER_KEPT)
            if former is not None:
                db.add(former)
        store(connection, found, self.secrets, now)
        await db.flush()
        await db.refresh(connection)
        self._record(db, connection, now)

    def _record(self, db: AsyncSession, connection: Connection, now: datetime) -> None:
        from server.features.connections import messages

        log.info("registration_renewed", connection=str(connection.id))
        if connection.organization_id is not None:
            record_by_worker(
                db,
                "connection.updated",
                organization_id=connection.organization_id,
                target_id=connection.id,
                data=messages.connection(connection, self.public_url),
                now=now,
            )

    async def _complain(self, db: AsyncSession, connection: Connection, now: datetime) -> None:
        """Mails the owners; once the secret has expired nobody is asked any more."""
        expires_at = connection.client_secret_expires_at
        assert expires_at is not None
        if expires_at <= now:
            connection.renewal_due_at = None
        if connection.organization_id is None:
            log.error("registration_expires", connection=str(connection.id))
            return
        for owner in await owner_contacts(db, connection.organization_id):
            self.mailer.queue(
                db,
                owner.email,
                REGISTRATION_EXPIRES,
                display_name=owner.display_name,
                connection_name=connection.name,
                expires_at=readable(expires_at),
            )


def _lasts_longer(after: datetime | None, before: datetime | None) -> bool:
    return after is None or (before is not None and after > before)


def _next_unused(now: datetime) -> Select[UnusedRegistration]:
    query = select(UnusedRegistration).where(UnusedRegistration.due_at <= now)
    query = query.order_by(UnusedRegistration.due_at).limit(1)
    return query.with_for_update(skip_locked=True)


def _next_expiring(now: datetime) -> Select[Connection]:
    query = select(Connection).where(
        Connection.renewal_due_at <= now,
        Connection.organization_id.is_(None) | is_alive(Connection.organization_id),
    )
    query = query.order_by(Connection.renewal_due_at).limit(1)
    return query.with_for_update(skip_locked=True)
