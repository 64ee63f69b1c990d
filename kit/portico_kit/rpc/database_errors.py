"""Turns errors of the database into domain errors."""

from __future__ import annotations

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
    InvalidRequestError,
    UnavailableError,
)
from portico_kit.rpc.nul import nul_violations
from portico_kit.rpc.pipeline import Proceed
from portico_kit.storage.base import ConstraintErrors, database_unavailable, refusal

log = structlog.get_logger("rpc")


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
                return InvalidRequestError(violations=nul_violations(request))
        if database_unavailable(error):
            log.warning("database_unavailable", rpc=call.method.path, error=str(error)[:200])
            return UnavailableError()
        return None


def _lost_race(call: Call) -> DomainError:
    """Another call changed the row between this one's look and its write."""
    return EtagMismatchError() if "if-match" in call.metadata else ConcurrentUpdateError()
