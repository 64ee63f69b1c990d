"""Reads by key for the batching loaders; see `statements` for how they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, any_, bindparam, or_
from sqlalchemy.orm import InstrumentedAttribute

from portico_kit.storage.statements import Statement, Statements, compiled


class KeyedQuery(Statement):
    """A query for many keys at once, as it goes to the server."""


def keyed_query(query: Select[*tuple[Any, ...]], *keys: InstrumentedAttribute[Any]) -> KeyedQuery:
    """Compiles a query for the rows of which one of the `keys` is among those that are asked for.

    Further parameters of the query are `bindparam`s, given by name to `Reads.fetch`.
    Its columns must have distinct names: a row is a tuple with these names.
    """
    asked: ColumnElement[Any] = bindparam("keys", type_=ARRAY(keys[0].type))
    matches = or_(*(key == any_(asked) for key in keys))
    statement = compiled(query.where(matches))
    return KeyedQuery(statement.sql, statement.constants)


class Reads(Statements):
    """Connections for reads: these wait for no lock."""

    async def fetch(self, query: KeyedQuery, keys: Sequence[Any], **values: Any) -> list[Any]:
        """The rows for the keys.

        Raises:
            psycopg.OperationalError: if the database does not answer.
        """
        return await self.run(query, **values, keys=list(keys))
