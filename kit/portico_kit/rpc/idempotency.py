"""Makes a write that is repeated with its Idempotency-Key happen once.

The answer is a row of the write's own transaction, so both are there or
neither is. An advisory lock stands for "still running" and falls with its
transaction, however that ends: a process that dies leaves nothing to clean up.

A repetition gets the answer only if the caller may still have it: the rights
are those of now. Credentials are neither kept nor repeated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from portico_contract import Idempotency as Rule
from portico_kit.call import Call
from portico_kit.errors import DomainError, FieldViolation, InvalidRequestError, NotFoundError
from portico_kit.rpc.kept_answers import KeptAnswers, RepeatableCall
from portico_kit.rpc.pipeline import Proceed
from portico_kit.service import Consent
from portico_kit.status import StatusCode
from portico_kit.storage.base import sessions
from portico_kit.storage.idempotency import KeptAnswer

Memberships = Callable[[UUID], Awaitable[Mapping[UUID, frozenset[str]]]]


class IdempotencyKeyInUseError(DomainError):
    """A request with this Idempotency-Key is still running."""

    code = StatusCode.ABORTED
    reason = "IDEMPOTENCY_KEY_IN_USE"


class IdempotencyKeyReusedError(DomainError):
    """This Idempotency-Key was used for another request."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "IDEMPOTENCY_KEY_REUSED"


class CredentialNotReplayedError(DomainError):
    """The first request succeeded and returned a credential, which is not returned again."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CREDENTIAL_NOT_REPLAYED"


class Idempotency:
    """Replays the answer of a write that is repeated."""

    def __init__(
        self,
        answers: KeptAnswers,
        memberships: Memberships,
        consents: Mapping[str, Consent],
    ) -> None:
        """Takes where answers are kept, and what looks up the rights of now.

        Args:
            memberships: a person's permissions, by organization.
            consents: by the permission of the platform, whether an organization
                still consents to its use.
        """
        self._answers = answers
        self._memberships = memberships
        self._consents = consents

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Proceeds, or gives the answer of the first time.

        Raises:
            IdempotencyKeyInUseError: while the first one runs.
            IdempotencyKeyReusedError: if the first request was another one.
            CredentialNotReplayedError: if the first answer held a credential.
        """
        repeatable = self._answers.recognize(request, call)
        if repeatable is None:
            return await proceed(request, call)
        await _lock(repeatable, call)
        kept = await self._answers.find(repeatable, call.db, call)
        if kept is None:
            response = await proceed(request, call)
            await self._answers.keep(repeatable, response, call)
            return response
        if kept.request_digest != repeatable.digest:
            raise IdempotencyKeyReusedError
        if not await self._may_have(kept, call):
            await _refuse(request, call, proceed)
        return self._repeat(kept, call)

    def _repeat(self, kept: KeptAnswer, call: Call) -> Message:
        if call.method.gives_credential:
            raise _credential_not_replayed(self._answers.created(kept))
        return self._answers.replay(kept, call)

    async def _may_have(self, kept: KeptAnswer, call: Call) -> bool:
        """Whether the caller, whom the answer was for, may do now what they did."""
        if kept.organization_id is None or kept.ended_access is not None:
            return True
        consent = self._consents.get(call.method.permission)
        if consent is not None:
            return await consent(call.db, kept.organization_id)
        if call.method.access == "permission":
            return call.method.permission in call.permissions(kept.organization_id)
        if call.method.access == "signed_in" and call.method.response.DESCRIPTOR.fields:
            return kept.organization_id in await self._memberships(call.user_id)
        return True


class FormerCallers:
    """Replays to a caller the answer of the call that ended their own access.

    The access interceptor asks before it refuses somebody. Whoever signs out, is
    not signed in when they repeat it: this is the one thing they still get.
    """

    def __init__(self, engine: AsyncEngine, answers: KeptAnswers) -> None:
        self._sessions = sessions(engine.execution_options(isolation_level="AUTOCOMMIT"))
        self._answers = answers

    async def replay(self, request: Message, call: Call) -> Message | None:
        """The answer, or None if the refusal is right.

        The caller's token has been verified; the session, or the permission that
        the method asks for, may be gone. Only who signs in ends access of their own:
        a narrowed credential gets nothing that its scopes may not allow.
        """
        if call.method.idempotency is not Rule.REPLAY_TO_FORMER_CALLER or not call.acts_as_person:
            return None
        try:
            repeatable = self._answers.recognize(request, call)
        except InvalidRequestError:
            return None
        if repeatable is None:
            return None
        async with self._sessions() as db:
            kept = await self._answers.find(repeatable, db, call)
        if kept is None or kept.request_digest != repeatable.digest or not _by_itself(kept, call):
            return None
        return self._answers.replay(kept, call)


def _by_itself(kept: KeptAnswer, call: Call) -> bool:
    """Whether what the caller lacks now is no more than what the call took away."""
    if kept.ended_access == "session":
        return True
    if kept.ended_access is None or call.account is None:
        return False
    is_member = kept.organization_id is None or kept.organization_id in call.grants
    return is_member or kept.ended_access == "membership"


async def _lock(repeatable: RepeatableCall, call: Call) -> None:
    number = int.from_bytes(repeatable.scope[:8], signed=True)
    if not await call.db.scalar(select(func.pg_try_advisory_xact_lock(number))):
        raise IdempotencyKeyInUseError


async def _refuse(request: Any, call: Call, proceed: Proceed) -> None:
    """Has the method itself refuse a caller who lacks the right, in its own words.

    Should it answer, nothing of that counts: the error takes it back.
    """
    await proceed(request, call)
    raise NotFoundError


def _credential_not_replayed(created: Mapping[str, str]) -> CredentialNotReplayedError:
    names = ", ".join(f"{name} {value}" for name, value in created.items())
    description = f"was used before, for {names}; rotate or revoke its credential if it was lost"
    violation = FieldViolation("Idempotency-Key", "CREDENTIAL_NOT_REPLAYED", description)
    return CredentialNotReplayedError(violations=(violation,), retry_after=None, **created)
