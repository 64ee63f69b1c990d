"""Turns errors of the database into domain errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import structlog
from google.protobuf.message import Message
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from portico_kit.call import Call
from portico_kit.errors import (
    ConcurrentUpdateError,
    DomainError,
    EtagMismatchError,
    FieldViolation,
    InvalidRequestError,
    UnavailableError,
)
from portico_kit.rpc.pipeline import Proceed
from portico_kit.storage.base import ConstraintErrors, database_unavailable, refusal

log = structlog.get_logger("rpc")

_NUL = "\0"


class DatabaseErrors:
    """Turns what the database raises into refusals; surprises pass as they are."""

    def __init__(self, constraint_errors: ConstraintErrors) -> None:
        """Takes the refusals that the features' constraints stand for, by constraint name."""
        self._constraint_errors = constraint_errors

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Lets the call proceed.

        Raises:
            DomainError: for what the database refused.
        """
        try:
            return await proceed(request, call)
        except Exception as error:
            known = self._refusal(error, request, call)
            if known is None:
                raise
            raise known from error

    def _refusal(self, error: Exception, request: Message, call: Call) -> DomainError | None:
        """What the database said, in our words; None if it is a surprise."""
        match error:
            case IntegrityError():
                return refusal(error, self._constraint_errors)
            case StaleDataError():
                return _lost_race(call)
            case DataError() if "NUL" in str(error.orig):
                return InvalidRequestError(violations=_nul_violations(request))
        if database_unavailable(error):
            log.warning("database_unavailable", rpc=call.method.path, error=str(error)[:200])
            return UnavailableError()
        return None


def _lost_race(call: Call) -> DomainError:
    """Another call changed the row between this one's look and its write."""
    return EtagMismatchError() if "if-match" in call.metadata else ConcurrentUpdateError()


def _nul_violations(request: Message) -> tuple[FieldViolation, ...]:
    """A violation for each string of a request with a NUL, which PostgreSQL cannot store.

    Searched only once the database has refused one: no other call pays for it.
    """
    return tuple(
        FieldViolation(field=path, reason="STRING_NUL", description="must not contain a NUL")
        for path, text in _texts(request)
        if _NUL in text
    )


def _texts(message: Message, within: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a message with its path, "limits.zone" or "scopes[2]"."""
    for field, value in message.ListFields():
        path = f"{within}{field.name}"
        if isinstance(value, str | Message):
            yield from _inside(path, value)
        elif field.type in (field.TYPE_STRING, field.TYPE_MESSAGE):
            for place, item in enumerate(value):
                yield from _inside(f"{path}[{place}]", item)


def _inside(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Message):
        yield from _texts(value, f"{path}.")
    else:
        yield path, value
