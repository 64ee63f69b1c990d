"""Lists in pages: opaque, signed cursors, bound to the method, its filters and the caller."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from sqlalchemy import ColumnElement, Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from portico_kit.errors import InvalidRequestError, invalid
from portico_kit.secrets import Secrets

DEFAULT_LIMIT = 20
SIGNATURE_BYTES = 16

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list.

    Attributes:
        next_cursor: where the next page starts; "" at the end.
    """

    rows: Sequence[Row]
    next_cursor: str

    @property
    def has_more(self) -> bool:
        """Whether there is a next page."""
        return self.next_cursor != ""


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted: by `columns`, the last of which tells any two rows apart."""

    columns: tuple[InstrumentedAttribute[Any], ...]
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page a request asks for.

    Attributes:
        after: the sort values of the last row of the page before, as texts.
        binding: what the cursor belongs to.
    """

    limit: int
    after: list[str] | None
    binding: bytes


class Cursors:
    """Reads and writes cursors."""

    def __init__(self, secrets: Secrets) -> None:
        self._key = secrets.derive("cursor")

    def paging(self, request: Any, *scope: object) -> Paging:
        """Which page a List request asks for.

        Args:
            request: has the fields `limit` and `cursor`; its other fields are filters.
            scope: what else the list depends on, for example the caller.

        Raises:
            InvalidRequestError: if the cursor is none of ours or belongs to another list.
        """
        limit = request.limit if request.HasField("limit") else DEFAULT_LIMIT
        binding = _binding(request, scope)
        after = self._decode(request.cursor, binding) if request.cursor else None
        return Paging(limit=limit, after=after, binding=binding)

    def encode(self, position: list[str], binding: bytes) -> str:
        """The cursor for what follows `position`."""
        # Not escaped: a name of 100 characters fits into a cursor of 1,000, whatever they are.
        body = json.dumps(position, ensure_ascii=False, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._sign(body, binding) + body).decode().rstrip("=")

    def _decode(self, cursor: str, binding: bytes) -> list[str]:
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError):
            raise _bad_cursor() from None
        signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(body, binding)):
            raise _bad_cursor()
        position: list[str] = json.loads(body)
        return position

    def _sign(self, body: bytes, binding: bytes) -> bytes:
        return hmac.new(self._key, binding + body, hashlib.sha256).digest()[:SIGNATURE_BYTES]


def _bad_cursor() -> InvalidRequestError:
    return invalid("cursor", "INVALID_CURSOR", "is not a valid cursor of this list")


def _binding(request: Message, scope: tuple[object, ...]) -> bytes:
    """A digest of everything that the list depends on, but its position and page size."""
    filters = type(request)()
    filters.CopyFrom(request)
    filters.ClearField("limit")
    filters.ClearField("cursor")
    parts = [request.DESCRIPTOR.full_name.encode(), filters.SerializeToString(deterministic=True)]
    parts += [str(part).encode() for part in scope]
    return hashlib.sha256(b"\0".join(parts)).digest()


async def fetch_page(
    db: AsyncSession, query: Select[Row], order: Order, paging: Paging, cursors: Cursors
) -> Page[Row]:
    """Runs a list query for one page. One row more is read, to know whether there is a next page.

    Args:
        query: filters only; sorting and limit are added here.
    """
    if paging.after is not None:
        query = query.where(_follows(order, paging.after))
    sorted_by = [c.desc() if order.descending else c.asc() for c in order.columns]
    rows = list(await db.scalars(query.order_by(*sorted_by).limit(paging.limit + 1)))
    if len(rows) <= paging.limit:
        return Page(rows, "")
    rows = rows[: paging.limit]
    position = [_text(getattr(rows[-1], column.key)) for column in order.columns]
    return Page(rows, cursors.encode(position, paging.binding))


def _follows(order: Order, after: list[str]) -> ColumnElement[bool]:
    """The row-wise comparison that an index on the sort columns answers."""
    here = tuple_(*order.columns)
    values = [
        column.type.python_type(value)
        if column.type.python_type is str
        else _parse(column.type.python_type, value)
        for column, value in zip(order.columns, after, strict=True)
    ]
    there = tuple_(*values)
    return here < there if order.descending else here > there


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _parse(kind: Any, text: str) -> Any:
    return kind.fromisoformat(text) if hasattr(kind, "fromisoformat") else kind(text)
