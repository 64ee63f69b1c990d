"""The database: base of all models, engine and sessions."""

from __future__ import annotations

import select as select_module
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import errors as pg
from psycopg.pq import ConnStatus
from psycopg.pq.abc import PGconn
from sqlalchemy import ColumnElement, DateTime, Integer, MetaData, delete, event, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, mapped_column
from sqlalchemy.types import Uuid

from portico_kit.errors import DomainError
from portico_kit.ids import new_id
from portico_kit.storage.connection import CONNECTION

# Predictable names, so that a violated constraint can be told by its name.
NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

POOL_TIMEOUT = 2  # seconds


class Base(DeclarativeBase):
    """What every table has in common: named constraints, UTC times, UUID ids."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: Mapping[Any, Any] = {
        datetime: DateTime(timezone=True),
        UUID: Uuid(),
        dict[str, Any]: JSONB(),
    }


class Identified:
    """A row with an id of its own."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)


class Timestamped:
    """A row that knows when it was made and last changed."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Versioned:
    """A row whose every change counts up, so that two writers cannot overwrite each other.

    A model that uses it sets `__mapper_args__ = {"version_id_col": Versioned.version}`;
    its ETag is the version.
    """

    version: Mapped[int] = mapped_column(Integer, default=1)


def create_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """The engine for a `postgresql://` address, with bounded waits everywhere.

    Args:
        url: the address, in libpq form.
        pool_size: how many connections are kept open.
    """
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=pool_size,
        # Opening a connection costs PostgreSQL more than a request does: none comes and goes.
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        # The connection that was used last: it has the statements prepared.
        pool_use_lifo=True,
        connect_args=dict(CONNECTION),
    )
    event.listen(engine.sync_engine, "checkout", _replace_if_lost)
    event.listen(engine.sync_engine, "handle_error", _leave_a_standby)
    return engine


def is_lost(pgconn: PGconn) -> bool:
    """Whether PostgreSQL has ended a connection while it was idle.

    It is seen on our side of the socket: one system call, and no round trip.
    """
    try:
        if not _readable(pgconn.socket):
            return False
        # An idle connection has nothing to say but why it ends. Only TLS has words of its own.
        if not pgconn.ssl_in_use:
            return True
        pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return pgconn.status != ConnStatus.OK


def _readable(descriptor: int) -> bool:
    # Not select(): it knows no descriptor above 1023.
    poll = select_module.poll()
    poll.register(descriptor, select_module.POLLIN)
    return bool(poll.poll(0))


def _replace_if_lost(connection: Any, _record: Any, _proxy: Any) -> None:
    """Before a connection of the pool is used: the pool takes another for one that is lost."""
    if is_lost(connection.driver_connection.pgconn):
        raise DisconnectionError


def _leave_a_standby(context: ExceptionContext) -> None:
    """After a fail-over a connection may lead to a server that only reads: the pool lets all of
    its connections go, and finds the new primary under the same address."""
    if isinstance(context.original_exception, pg.ReadOnlySqlTransaction):
        context.is_disconnect = True


def database_unavailable(error: Exception) -> bool:
    """Whether an error says that the database cannot do it now, whatever is asked of it.

    Among these are a server that starts or stops, has no connection left or no room on its
    disk, and one that only reads because another has taken over.
    """
    match error:
        case DBAPIError():
            return (
                isinstance(error, OperationalError | InterfaceError)
                or isinstance(error.orig, pg.ReadOnlySqlTransaction)
                or error.connection_invalidated
            )
        # Those of psycopg come from statements that go past SQLAlchemy.
        case PoolTimeoutError() | psycopg.OperationalError() | psycopg.InterfaceError():
            return True
        case pg.ReadOnlySqlTransaction():
            return True
    return False


Sessions = async_sessionmaker[AsyncSession]


def sessions(engine: AsyncEngine) -> Sessions:
    """The factory of sessions; rows stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


def single_statements(factory: Sessions) -> Sessions:
    """Sessions of the same engine in which each statement is a transaction of its own.

    It spares a statement the words around it, which cost as much as a small one.
    """
    engine: AsyncEngine = factory.kw["bind"]
    return sessions(engine.execution_options(isolation_level="AUTOCOMMIT"))


async def delete_batch(
    db: AsyncSession, key: InstrumentedAttribute[Any], condition: ColumnElement[bool], limit: int
) -> int:
    """Deletes some of the rows that fulfil a condition, and says how many.

    A batch holds its locks only shortly; a row that somebody else holds is left
    to the next one.

    Args:
        key: the primary key of the table.
        limit: how many at the most.
    """
    chosen = select(key).where(condition).limit(limit).with_for_update(skip_locked=True)
    gone = await db.scalars(
        delete(key.class_)
        .where(key.in_(chosen))
        .returning(key)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


ConstraintErrors = Mapping[str, type[DomainError]]


def refusal(error: IntegrityError, known: ConstraintErrors) -> DomainError | None:
    """The refusal that a violated constraint stands for, if it is a known one.

    This is what makes "is it taken?" exact when two callers ask at once: the
    look before the insert is a courtesy, the constraint decides.
    """
    cause = error.orig
    if not isinstance(cause, pg.IntegrityError):
        return None
    found = known.get(cause.diag.constraint_name or "")
    return found() if found else None
