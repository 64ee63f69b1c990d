"""Connections whose client we registered ourselves: how that is done, kept and taken back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.storage.statements import Statements, compiled
from server.features.connections.flows import (
    CALLBACK_PATH,
    KEY_PURPOSE,
    LOGOUT_PATH,
    SECRET_PURPOSE,
    client_key,
)
from server.features.connections.models import Connection, UnusedRegistration
from server.features.connections.oidc.client import PARAMETERS
from server.features.connections.oidc.client_keys import ClientKey
from server.features.connections.oidc.discovery import ProviderMetadata
from server.features.connections.oidc.openid import SCOPES
from server.features.connections.oidc.registration import (
    KEY_JWT,
    Registered,
    Registrant,
    Registrar,
)

TOKEN_PURPOSE = "connection-registration-token"  # noqa: S105 - the name of a purpose
# Longer than any call takes that makes a connection.
UNUSED_AFTER = timedelta(minutes=10)
RENEWED_BEFORE = timedelta(days=7)

NOTE_UNUSED = compiled(
    insert(UnusedRegistration)
    .values(
        id=bindparam("id"),
        uri=bindparam("uri"),
        sealed_token=bindparam("sealed_token"),
        due_at=bindparam("due_at"),
        attempts=0,
    )
    .on_conflict_do_nothing()
    .returning(UnusedRegistration.id)
)


@dataclass(frozen=True, slots=True)
class Registrations:
    """Registers the clients of connections.

    Attributes:
        product_name: what a provider shows its people.
    """

    registrar: Registrar
    statements: Statements
    secrets: Secrets
    public_url: str
    product_name: str

    async def register(
        self,
        connection: Connection,
        metadata: ProviderMetadata,
        initial_token: str,
        now: datetime,
    ) -> UUID | None:
        """Registers a connection that is yet to be stored, outside of any transaction.

        Returns:
            The note by which the registration is taken back; see `keep`. None if it cannot be.

        Raises:
            ProviderFailedError: if the provider does not register us.
        """
        found = await self.registrar.register(
            registrant(connection, self.secrets, self.public_url, self.product_name),
            metadata,
            initial_token,
        )
        store(connection, found, self.secrets, now)
        if not found.uri:
            return None
        note_id = new_id()
        await self.statements.run(
            NOTE_UNUSED,
            id=note_id,
            uri=found.uri,
            sealed_token=connection.sealed_registration_token,
            due_at=now + UNUSED_AFTER,
        )
        return note_id

    async def keep(self, note_id: UUID, db: AsyncSession) -> None:
        """Keeps a registration, if the transaction that makes the connection is committed."""
        await db.execute(delete(UnusedRegistration).where(UnusedRegistration.id == note_id))

    def end(self, connection: Connection, db: AsyncSession, now: datetime) -> bool:
        """Has a registration taken back after the commit. Whether there is one."""
        note = unused(connection, now)
        if note is not None:
            db.add(note)
        return note is not None


def unused(connection: Connection, due_at: datetime) -> UnusedRegistration | None:
    """The note that a connection's registration is to be taken back."""
    sealed = connection.sealed_registration_token
    if not connection.registration_uri or sealed is None:
        return None
    return UnusedRegistration(
        id=new_id(), uri=connection.registration_uri, sealed_token=sealed, due_at=due_at
    )


def registrant(
    connection: Connection, secrets: Secrets, public_url: str, product_name: str
) -> Registrant:
    """What we say of ourselves for a connection."""
    pem = client_key(connection, secrets)
    return Registrant(
        name=product_name,
        redirect_uri=public_url + CALLBACK_PATH,
        logout_uri=f"{public_url}{LOGOUT_PATH}/{connection.id}",
        authentication=connection.client_authentication,
        scopes=list(dict.fromkeys([*SCOPES, *connection.scopes])),
        request_mode=connection.authorization_request,
        userinfo_algorithm=connection.userinfo_signed_response_alg,
        key=ClientKey.read(pem) if pem else None,
    )


def store(connection: Connection, found: Registered, secrets: Secrets, now: datetime) -> None:
    """Puts into a connection what a provider has registered."""
    sealed = secrets.seal(SECRET_PURPOSE, found.secret.encode()) if found.secret else None
    # A secret that is of no use to us is not kept.
    by_secret = connection.client_authentication.startswith("client_secret")
    connection.registered = True
    connection.client_id = found.client_id
    connection.sealed_client_secret = sealed if by_secret else None
    connection.registration_uri = found.uri
    connection.sealed_registration_token = secrets.seal(TOKEN_PURPOSE, found.token.encode())
    connection.client_secret_expires_at = found.expires_at if by_secret else None
    connection.renewal_due_at = renewal_due(connection.client_secret_expires_at, now)


def as_registered(connection: Connection, secrets: Secrets) -> Registered:
    """What a provider has registered, as it was stored."""
    secret, token = connection.sealed_client_secret, connection.sealed_registration_token
    return Registered(
        client_id=connection.client_id,
        secret=secrets.unseal(SECRET_PURPOSE, secret).decode() if secret else "",
        authentication=connection.client_authentication,
        expires_at=connection.client_secret_expires_at,
        uri=connection.registration_uri,
        token=secrets.unseal(TOKEN_PURPOSE, token).decode() if token else "",
    )


def renewal_due(expires_at: datetime | None, now: datetime) -> datetime | None:
    """When a secret is renewed: a week before it expires, or after three quarters of its life."""
    if expires_at is None:
        return None
    return expires_at - min(RENEWED_BEFORE, max((expires_at - now) / 4, timedelta()))


async def add_key(connection: Connection, secrets: Secrets) -> None:
    """Makes the connection's own key, if it needs one and has none.

    One for each connection: with a key of the whole platform an organization could name the
    client of another, and show that it is that.
    """
    if connection.sealed_client_key is not None or client_key(connection, secrets):
        return
    if connection.client_authentication == KEY_JWT or signs_requests(connection):
        # Beside the event loop, which serves others meanwhile.
        made = await asyncio.to_thread(ClientKey.make)
        connection.sealed_client_key = secrets.seal(KEY_PURPOSE, made.pem.encode())


def signs_requests(connection: Connection) -> bool:
    """Whether the provider is asked by request objects."""
    return connection.authorization_request != PARAMETERS
