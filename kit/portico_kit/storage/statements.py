"""Single statements: written with SQLAlchemy, run by psycopg itself.

A statement is compiled once, when its module is imported. Running it then costs a
fifth of what a session costs, which matters where every request passes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import CursorResult, Executable
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.sql import ClauseElement

from portico_kit.storage.base import is_lost
from portico_kit.storage.connection import CONNECTION

CONNECTIONS = 4
_PLACEHOLDER = re.compile(r"(%\(\w+\))s")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it goes to the server.

    Attributes:
        constants: the values that stand in the statement itself.
    """

    sql: str
    constants: Mapping[str, Any]


def compiled(statement: Executable, *, binary: bool = False) -> Statement:
    """Compiles a statement.

    Its parameters are `bindparam`s, given by name when it runs. The columns that
    it returns must have distinct names: a row is a tuple with these names.

    Args:
        binary: whether values are sent in the binary form, which costs less for arrays.
    """
    assert isinstance(statement, ClauseElement)
    result = statement.compile(dialect=dialect())  # type: ignore[no-untyped-call]
    constants = {name: value for name, value in result.params.items() if value is not None}
    sql = str(result)
    return Statement(_PLACEHOLDER.sub(r"\1b", sql) if binary else sql, constants)


class Statements:
    """A few connections of its own, in autocommit, opened when they are needed.

    Each statement is a transaction, and may run twice: it only reads, or does nothing
    more the second time. One that may wait for a lock uses other connections than what
    every request needs.
    """

    def __init__(self, url: str) -> None:
        """Takes the database's address, in libpq form."""
        self._url = url
        self._idle: asyncio.LifoQueue[psycopg.AsyncConnection[NamedTuple] | None] = (
            asyncio.LifoQueue()
        )
        for _ in range(CONNECTIONS):
            self._idle.put_nowait(None)

    async def run(self, statement: Statement, **values: Any) -> list[Any]:
        """The rows that a statement returns.

        A connection that has ended meanwhile is replaced, and if it ends under the statement,
        that runs once more: many callers may wait for it.

        Raises:
            psycopg.OperationalError: if the database does not answer. The next
                call opens a new connection.
        """
        parameters = {**statement.constants, **values}
        connection = await self._idle.get()
        try:
            if connection is None or is_lost(connection.pgconn):
                connection = await self._replace(connection)
            try:
                return await _run(connection, statement.sql, parameters)
            except psycopg.OperationalError:
                if not connection.closed:
                    raise
            connection = await self._replace(connection)
            return await _run(connection, statement.sql, parameters)
        except BaseException:
            # What a broken or interrupted exchange left on the line is not worth finding out.
            if connection is not None:
                await connection.close()
            connection = None
            raise
        finally:
            self._idle.put_nowait(connection)

    async def close(self) -> None:
        """Lets the idle connections go."""
        while not self._idle.empty():
            connection = self._idle.get_nowait()
            if connection is not None:
                await connection.close()

    async def _replace(
        self, lost: psycopg.AsyncConnection[NamedTuple] | None
    ) -> psycopg.AsyncConnection[NamedTuple]:
        if lost is not None:
            await lost.close()
        return await self._connect()

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            self._url,
            autocommit=True,
            row_factory=namedtuple_row,
            **CONNECTION,
        )


class Written(NamedTuple):
    """A statement that is yet to run, with its values."""

    statement: Statement
    values: Mapping[str, Any]


async def run_in(db: AsyncSession, statement: Statement, **values: Any) -> Sequence[Any]:
    """The rows that a statement returns, in the transaction of a session.

    What the session holds is written before. Errors are those of the session's own queries.
    """
    parameters = {**statement.constants, **values}
    return await db.run_sync(lambda session: _execute(session, statement, parameters).all())


async def write_in(db: AsyncSession, written: Iterable[Written]) -> None:
    """Runs statements that return nothing, see `run_in`."""
    for statement, values in written:
        await db.run_sync(_execute, statement, {**statement.constants, **values})


def _execute(
    session: Session, statement: Statement, parameters: Mapping[str, Any]
) -> CursorResult[Any]:
    session.flush()
    return session.connection().exec_driver_sql(statement.sql, parameters)


async def _run(
    connection: psycopg.AsyncConnection[NamedTuple], sql: str, parameters: Mapping[str, Any]
) -> list[Any]:
    cursor = await connection.execute(sql, parameters, prepare=True)
    return await cursor.fetchall()
