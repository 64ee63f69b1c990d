"""What the interceptors are made of; `server.core` builds it, `server.app` puts them in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from portico_kit.credentials import Authenticator, ServiceAuthenticator
from portico_kit.jwt import TokenVerifier
from portico_kit.rpc.access import AccessChanges, FormerCallers
from portico_kit.rpc.idempotency import Memberships
from portico_kit.rpc.kept_answers import KeptAnswers
from portico_kit.rpc.step_up import Standings
from portico_kit.service import Consent
from portico_kit.storage.base import ConstraintErrors
from portico_kit.tasks.notifier import TaskNotifier


@dataclass(frozen=True, slots=True)
class InterceptorParts:
    """The parts of all of them.

    Attributes:
        verifier: of the tokens of every kind that has an authenticator.
        service: knows our own services by their secret.
        access_changes: says when somebody's access may have changed.
        former_callers: knows the calls with which callers ended their own access.
        standings: what people have shown, and what they could show.
        answers: where the answers of calls with an Idempotency-Key are kept.
        memberships: a person's permissions, by organization.
        consents: who has to agree to a repetition, by permission.
    """

    engine: AsyncEngine
    notifier: TaskNotifier
    verifier: TokenVerifier
    authenticators: Sequence[Authenticator]
    service: ServiceAuthenticator
    former_callers: FormerCallers
    access_changes: AccessChanges
    standings: Standings
    answers: KeptAnswers
    memberships: Memberships
    consents: Mapping[str, Consent]
    constraint_errors: ConstraintErrors
